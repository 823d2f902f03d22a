"""``capture="orm"``: changes are noticed where they go through Django's models."""

from eventbus.capture.orm.deleting import publish_deleted
from eventbus.capture.orm.rows.waiting import publish_saved

__all__ = ["publish_deleted", "publish_saved"]
