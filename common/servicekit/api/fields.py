"""Fields of serializers that several services use."""

from decimal import Decimal
from typing import Any

from rest_framework import serializers


class DecimalField(serializers.DecimalField):
    """DRF's, but -0 is 0: databases do not keep the sign, so that answers would differ later."""

    def to_internal_value(self, data: Any) -> Decimal:
        return super().to_internal_value(data) + 0
