"""The load: threads that create and change products through the ORM until SIGTERM."""

import random
import threading
from itertools import count

import django

WRITERS = 3
PAUSE_SECONDS = 0.01
NEW_EVERY = 10


def main() -> None:
    django.setup()
    from eventbus.running.lifecycle import stop_on_signals

    stop = stop_on_signals()
    products: list[int] = []
    threads = [
        threading.Thread(target=write, args=(f"writer-{number}", products, stop))
        for number in range(WRITERS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def write(name: str, products: list[int], stop: threading.Event) -> None:
    """Save one product after another, whoever created it, and retry during database outages."""
    from django.db import connection
    from django.db.utils import InterfaceError, OperationalError

    from product_service.products.models import Product

    for number in count():
        if stop.wait(PAUSE_SECONDS):
            break
        try:
            if number % NEW_EVERY == 0:
                sku = f"{name}-{number}"
                products.append(Product.objects.create(sku=sku, name=sku, price=1).pk)
            else:
                product = Product.objects.get(pk=random.choice(products))
                product.name = f"{name}-{number}"
                product.save()
        except (InterfaceError, OperationalError):
            connection.close()
    connection.close()


if __name__ == "__main__":
    main()
