from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from eventbus.capture.snapshots import publish_snapshots
from eventbus.running.command_line import moment, numbers, positive, progress
from eventbus.running.lifecycle import stop_on_signals
from product_service.products.events import ProductEvents
from product_service.products.models import Product


class Command(BaseCommand):
    help = (
        "Publish all products as product.snapshot events, for new consumers or after changes by "
        "raw SQL. Products can be changed while it runs."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--since", type=moment, help="only products changed at or after this time (ISO 8601)"
        )
        parser.add_argument("--ids", type=numbers, metavar="1,2", help="only these products")
        parser.add_argument(
            "--after", type=int, default=0, metavar="ID", help="continue after this product"
        )
        parser.add_argument(
            "--batch", type=positive, default=500, metavar="N", help="products per transaction"
        )

    def handle(self, *, batch: int, after: int, **options: Any) -> None:
        products = Product.objects.all()
        if options["since"]:
            products = products.filter(updated_at__gte=options["since"])
        if options["ids"]:
            products = products.filter(pk__in=options["ids"])
        stop = stop_on_signals()
        published = 0
        with progress() as bars:
            bar = bars.add_task("", total=products.filter(pk__gt=after).count())
            for number, last in publish_snapshots(
                ProductEvents, products, after=after, batch_size=batch
            ):
                published += number
                bars.advance(bar, number)
                if stop.is_set():
                    raise CommandError(
                        f"Stopped after {published:,} snapshots; continue with --after {last}"
                    )
        self.stdout.write(f"{published:,} snapshots published.")
