"""Capturing: each change of a model becomes an event, declared from outside the model."""

from eventbus.capture.declaring import publish_model
from eventbus.capture.fields import field
from eventbus.capture.publication import Publication
from eventbus.capture.references import through
from eventbus.capture.suppressing import suppressed

__all__ = ["Publication", "field", "publish_model", "suppressed", "through"]
