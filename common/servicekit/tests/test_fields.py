"""Serializer fields."""

from decimal import Decimal

import pytest

from common.servicekit.api.fields import DecimalField


@pytest.mark.parametrize(("sent", "value"), [("-0", "0.00"), (-0.0, "0.00"), ("-1.5", "-1.50")])
def test_zero_has_no_sign(sent: str | float, value: str) -> None:
    read = DecimalField(max_digits=5, decimal_places=2).run_validation(sent)
    assert (str(read), type(read)) == (value, Decimal)
