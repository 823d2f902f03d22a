"""Serializer fields shared by several services."""

from decimal import Decimal
from typing import Any

from rest_framework import serializers


class DecimalField(serializers.DecimalField):
    """DRF's field, but -0 becomes 0: databases drop the sign, so responses would differ later."""

    def to_internal_value(self, data: Any) -> Decimal:
        return super().to_internal_value(data) + 0
