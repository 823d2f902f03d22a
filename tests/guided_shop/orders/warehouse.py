"""The system of another company, which is down while ``WAREHOUSE`` says so."""

import os


def find_shelf(order_id: int) -> str:
    """Where the goods of an order lie."""
    if os.environ.get("WAREHOUSE") == "down":
        raise ConnectionRefusedError("the warehouse is down")
    return f"A-{order_id}"
