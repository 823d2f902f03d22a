"""The events as they were last released, as AsyncAPI documents: what readers out there count on."""

from pathlib import Path

PRODUCT = Path(__file__).with_name("product.json")
