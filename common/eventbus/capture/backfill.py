"""Publishing all rows of a model once, because its ``snapshot_version`` was raised."""

import json

import structlog
from django.utils import timezone

from eventbus.capture.models import SnapshotRun
from eventbus.capture.publication import Publication
from eventbus.capture.registry import publications
from eventbus.capture.snapshots import publish_batch
from eventbus.database.alias import bus_alias, bus_atomic

log = structlog.get_logger(__name__)

BATCH = 500


class Backfill:
    """The snapshots that publications ask for, a batch at a time: a chore of the relay.

    How far they are is kept beside the events, so a relay that is killed goes on where it was.
    """

    def __init__(self) -> None:
        self._pending: list[Publication] | None = None

    def __call__(self) -> bool:
        """Publish one batch.

        :returns: whether there was one.
        """
        if self._pending is None:  # versions change by a deploy, and a relay starts with it
            self._pending = pending()
        while self._pending:
            if _publish_one_batch(self._pending[0]):
                return True
            del self._pending[0]
        return False


def pending() -> list[Publication]:
    """The publications whose ``snapshot_version`` is higher than what was published."""
    finished = SnapshotRun.objects.filter(finished_at__isnull=False)
    reached = dict(finished.values_list("event", "version"))
    return [p for p in publications() if p.snapshot_version > reached.get(p.event, 0)]


def _publish_one_batch(publication: Publication) -> bool:
    with bus_atomic():
        run = _run(publication)
        after = publication.model._meta.pk.to_python(json.loads(run.after)) if run.after else None
        rows = publication.model._base_manager.using(bus_alias()).all()
        number, last = publish_batch(publication, rows, after, BATCH)
        if number:
            run.published += number
            run.after = json.dumps(last, default=str)
        else:
            run.finished_at = timezone.now()
        run.save()
    if not number:
        log.info("published snapshots", rows=run.published, of=publication.event)
    return number > 0


def _run(publication: Publication) -> SnapshotRun:
    """How far the snapshots of the declared version are; that of an older one begins again."""
    run = SnapshotRun.objects.filter(event=publication.event).first()
    if run is None or run.version != publication.snapshot_version:
        run = SnapshotRun(
            event=publication.event,
            version=publication.snapshot_version,
            started_at=timezone.now(),
        )
    return run
