"""System checks of the publishing side."""

from typing import Any

from django.core.checks import CheckMessage, Error, register

from eventbus.checks import with_settings
from eventbus.conf import bus_settings
from eventbus.outbox.published import is_within, published


@register()
@with_settings
def published_contracts_can_be_found(**_: Any) -> list[CheckMessage]:
    """Report each module in ``PUBLISHES`` that cannot be imported or defines no contract."""
    try:
        found = published()
    except ImportError as error:
        text = f"EVENTBUS['PUBLISHES'] names a module that cannot be imported: {error}."
        hint = (
            "Use dotted module paths. The package of published models is written by: "
            "python manage.py write_contracts"
        )
        return [Error(text, hint=hint, id="eventbus_outbox.E001")]
    return [
        Error(
            f"EVENTBUS['PUBLISHES'] names {module}, which defines no contract.",
            hint="Decorate a Contract class in it with @event(type, topic=...).",
            id="eventbus_outbox.E002",
        )
        for module in bus_settings().publishes
        if not any(is_within(contract, module) for contract in found)
    ]
