from eventbus.events import Event
from eventbus.inbox import subscribe
from warehouse.contracts import OrderPlaced
from warehouse.models import Parcel


@subscribe(OrderPlaced)
def pack(event: Event[OrderPlaced]) -> None:
    Parcel.objects.create(order_number=event.subject, value=event.data.total)
