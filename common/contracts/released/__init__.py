"""The events as last released, as AsyncAPI documents: what existing consumers rely on."""

from pathlib import Path

PRODUCT = Path(__file__).with_name("product.json")
