"""The permissions for importing a row, which are those of the user elsewhere."""

from typing import Any

from django.db.models import Model


def may(user: Any, verb: str, model: type[Model]) -> bool:
    """Whether a user may add or change objects of a model.

    :param user: None for the command, which needs no permission.
    :param verb: ``add`` or ``change``.
    """
    permission = f"{model._meta.app_label}.{verb}_{model._meta.model_name}"
    return user is None or user.has_perm(permission)
