"""Selecting the fields of a response."""

from typing import Any

from rest_framework import serializers
from rest_framework.permissions import SAFE_METHODS


class SelectableFields(serializers.Serializer[Any]):
    """A serializer whose output has only the fields given in ``?fields=id,name``."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if self._chosen():
            self.get_fields()  # validates the names even if the list is empty

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        fields = super().get_fields()
        chosen = self._chosen()
        if not chosen:
            return fields
        if unknown := sorted(chosen.difference(fields)):
            known = ", ".join(fields)
            message = f"There is no field {', '.join(unknown)}. Available fields: {known}."
            raise serializers.ValidationError({"fields": [message]})
        return {name: field for name, field in fields.items() if name in chosen}

    def _chosen(self) -> set[str]:
        request = self.context.get("request")
        if request is None or request.method not in SAFE_METHODS:
            return set()
        names = request.query_params.get("fields", "").split(",")
        return {name.strip() for name in names}.difference([""])
