"""Reading ahead: while the database works on one batch, the next one comes from Kafka.

A thread of its own has the Kafka consumer and is its only user. So the member also stays in its
group while a handler takes long or the database is away.

Order is kept, whatever moves between members meanwhile: what this member hands out of a partition
goes on without a gap from what was committed last, and it is worked on one batch after the other.
Who handles an event has therefore seen all that come before it, in its own database at the latest.
"""

import threading
from collections.abc import Iterable

from kafka import TopicPartition

from common.inbox.stream import Batches, Stream

POLL_MS = 200
STAY_SECONDS = 1.0
LEAVE_SECONDS = 10.0


class ReadAhead:
    """A stream that is one batch ahead of the worker.

    :param stream: to read from; nobody else may use it.
    :param batch_size: the most messages in one batch.
    :param stop: cuts every wait short.
    """

    def __init__(self, stream: Stream, batch_size: int, stop: threading.Event) -> None:
        self._stream = stream
        self._batch_size = batch_size
        self._stop = stop
        self._thread: threading.Thread | None = None
        self._changed = threading.Condition()
        self._ahead: Batches = {}
        self._again: Batches = {}
        self._done: Batches = {}
        self._leaving = False
        self._error: BaseException | None = None
        self._caught_up = False
        self._lag = 0
        self._assignment: set[TopicPartition] = set()

    def join(self, topics: Iterable[str]) -> None:
        self._thread = threading.Thread(
            target=self._read, args=[list(topics)], name="read-ahead", daemon=True
        )
        self._thread.start()

    def poll(self, timeout_ms: int, max_records: int) -> Batches:
        """The next batch, whole: ``max_records`` must be the size that this was made for."""
        with self._changed:
            if not self._again:
                self._changed.wait_for(lambda: self._ahead or self._error, timeout_ms / 1000)
                if self._error:
                    raise self._error
                self._again, self._ahead = self._ahead, {}
                self._changed.notify_all()
            batches, self._again = self._again, {}
            return batches

    def commit(self, batches: Batches) -> None:
        """The reading thread commits, between two polls."""
        with self._changed:
            self._done.update({partition: records[-1:] for partition, records in batches.items()})
            self._changed.notify_all()

    def rewind(self, batches: Batches) -> None:
        self._again = batches

    def idle(self, seconds: float) -> None:
        self._stop.wait(seconds)

    def caught_up(self) -> bool:
        with self._changed:
            return self._caught_up and not self._ahead and not self._again

    def lag(self) -> int:
        return self._lag

    def assignment(self) -> set[TopicPartition]:
        return self._assignment

    def leave(self) -> None:
        with self._changed:
            self._leaving = True
            self._changed.notify_all()
        if self._thread:
            self._thread.join(LEAVE_SECONDS)

    def _read(self, topics: list[str]) -> None:
        try:
            self._stream.join(topics)
            while not self._leaving:
                self._commit_done()
                self._fetch()
            self._commit_done()
        except BaseException as error:  # the worker's thread raises it
            with self._changed:
                self._error = error
                self._changed.notify_all()
        finally:
            self._stream.leave()

    def _commit_done(self) -> None:
        with self._changed:
            done, self._done = self._done, {}
        if done:
            self._stream.commit(done)

    def _fetch(self) -> None:
        """Get the next batch, once the worker has taken the one before."""
        with self._changed:
            is_needed = self._changed.wait_for(
                lambda: not self._ahead or self._done or self._leaving, STAY_SECONDS
            )
            is_full = bool(self._ahead)
        if is_full:
            if not is_needed:
                self._stream.stay(0)
            return
        self._stream.go_on()
        batches = self._stream.poll(POLL_MS, self._batch_size)
        with self._changed:
            self._ahead = batches
            self._caught_up = self._stream.caught_up()
            self._lag = self._stream.lag()
            self._assignment = self._stream.assignment()
            self._changed.notify_all()
