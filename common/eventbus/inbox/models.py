"""The tables of the consuming side: the inbox, parked events, lost messages and workers."""

from datetime import timedelta

from django.db import models
from django.utils import timezone

from eventbus.database.models import BusModel


class InboxMessage(BusModel):
    """An event that this service has accepted: it was handled, or is parked.

    In CloudEvents, source and id together identify an event.
    """

    pk = models.CompositePrimaryKey("consumer", "event_id", "source")
    consumer = models.CharField(max_length=255, help_text="The consumer group.")
    event_id = models.CharField(max_length=255)
    source = models.CharField(max_length=600)
    received_at = models.DateTimeField(auto_now_add=True, db_index=True)

    def __str__(self) -> str:
        return f"{self.source} {self.event_id}"


class ParkedKey(BusModel):
    """A key whose events wait in line because the first of them failed.

    A line is shared by all handlers, or belongs to one isolated handler. Code that parks, retries
    or discards an event of the line must lock this row first. The row remains when the line is
    empty, and is reused. An event without a key gets a row of its own.

    :param apart: names of the handlers that do not take the events of a shared line. They were
        isolated when the line began, and handle events of its key separately while it lasts.
    """

    class State(models.TextChoices):
        RETRYING = "retrying", "will be retried"
        DEAD = "dead", "needs a decision"
        CLEAR = "clear", "nothing waiting"

    consumer = models.CharField(max_length=255, help_text="The consumer group.")
    topic = models.CharField(max_length=249)
    key = models.CharField(
        max_length=255, blank=True, help_text="Later events of this key wait; none if empty."
    )
    handler = models.CharField(
        max_length=255, blank=True, help_text="The isolated handler whose line it is."
    )
    apart = models.JSONField(default=list, blank=True)
    state = models.CharField(max_length=10, choices=State.choices)
    next_try_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["consumer", "topic", "key", "handler"],
                name="inbox_one_line_a_key",
                condition=~models.Q(key=""),
            )
        ]
        indexes = [
            models.Index(
                fields=["consumer", "next_try_at"],
                name="inbox_parked_keys_waiting",
                condition=~models.Q(state="clear"),
            )
        ]

    def __str__(self) -> str:
        return f"{self.shown_key}, for {self.handler}" if self.handler else self.shown_key

    @property
    def shown_key(self) -> str:
        """The key for display."""
        return self.key or "(no key)"

    def line(self) -> "models.QuerySet[ParkedEvent]":
        """The waiting events, in order."""
        return self.events.filter(state__in=ParkedEvent.OPEN).order_by("id")

    def hold(self, wait: timedelta | None) -> None:
        """Schedule a retry of the first event after a wait; None leaves it to a person."""
        self.state = self.State.DEAD if wait is None else self.State.RETRYING
        self.next_try_at = None if wait is None else timezone.now() + wait

    def go_on(self) -> None:
        """Make the first event due now, or clear the key if no event is waiting."""
        self.hold(timedelta(0))
        if not self.line().exists():
            self.state, self.next_try_at = self.State.CLEAR, None


class ParkedEvent(BusModel):
    """A message that failed, or that waits behind one that failed.

    The open events of a key are handled in the order of their ids; the first one has failed, or is
    about to be retried.
    """

    class State(models.TextChoices):
        FAILED = "failed"
        BEHIND = "behind", "waiting behind another event"
        HANDLED = "handled", "handled on a retry"
        DISCARDED = "discarded"

    OPEN = (State.FAILED, State.BEHIND)

    parked_key = models.ForeignKey(ParkedKey, models.PROTECT, related_name="events")
    state = models.CharField(max_length=10, choices=State.choices)
    topic = models.CharField(max_length=249)
    partition = models.IntegerField()
    offset = models.BigIntegerField()
    key = models.BinaryField(null=True)
    value = models.BinaryField(null=True)
    headers = models.TextField(default="[]", help_text="JSON pairs of name and value (latin-1).")
    event_id = models.CharField(max_length=255, blank=True)
    type = models.CharField(max_length=255, blank=True)
    handler = models.CharField(max_length=255, blank=True, help_text="The handler that failed.")
    error = models.TextField(blank=True)
    traceback = models.TextField(blank=True)
    attempts = models.PositiveIntegerField(default=0)
    parked_at = models.DateTimeField(auto_now_add=True)
    handled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["id"]
        permissions = [("resolve_parkedevent", "Can retry and discard parked events")]
        indexes = [
            models.Index(
                fields=["parked_key", "id"],
                name="inbox_parked_events_open",
                condition=models.Q(state__in=["failed", "behind"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type or 'unreadable'} at {self.place}"

    @property
    def is_open(self) -> bool:
        """Whether it is still waiting."""
        return self.state in self.OPEN

    @property
    def place(self) -> str:
        """Topic, partition and offset."""
        return f"{self.topic}/{self.partition}/{self.offset}"


class ParkedDecision(BusModel):
    """A person's decision about a parked event, with the reason."""

    class Action(models.TextChoices):
        RETRY = "retry", "retry now"
        DISCARD = "discard", "discard"
        DISCARD_AND_RELEASE = "release", "discard and release followers"

    event = models.ForeignKey(ParkedEvent, models.PROTECT, related_name="decisions")
    action = models.CharField(max_length=10, choices=Action.choices)
    by = models.CharField(max_length=255)
    reason = models.TextField(blank=True)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.get_action_display()}, by {self.by}"


class LostMessages(BusModel):
    """Messages that Kafka's retention deleted before this service had read them.

    :param first: the offset from which the group would have resumed.
    :param last: the offset before the first one that Kafka still had.
    """

    consumer = models.CharField("group", max_length=255)
    topic = models.CharField(max_length=249)
    partition = models.IntegerField()
    first = models.BigIntegerField("first offset")
    last = models.BigIntegerField("last offset")
    noticed_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "lost messages"
        constraints = [
            models.UniqueConstraint(
                fields=["consumer", "topic", "partition", "first"], name="inbox_lost_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}, {self.first} to {self.last}"

    @property
    def count(self) -> int:
        """Number of offsets; compacted topics and transactions have fewer messages."""
        return self.last - self.first + 1

    @classmethod
    def of(cls, topic: str, partition: int) -> "models.QuerySet[LostMessages]":
        """The messages of a partition that this service lost, in offset order."""
        return cls.objects.filter(topic=topic, partition=partition).order_by("first")


class WorkerState(BusModel):
    """The heartbeat of one worker process.

    :param lost: messages that Kafka deleted before this worker could read them.
    :param lag: unread messages in its partitions.
    :param rate: events per second handled between the last two beats.
    :param last_event: type, id and position of the last event it took.
    """

    consumer = models.CharField("group", max_length=255)
    host = models.CharField(max_length=255)
    pid = models.IntegerField()
    partitions = models.JSONField(default=list)
    lag = models.BigIntegerField(default=0)
    rate = models.FloatField("events/s", default=0)
    handled = models.BigIntegerField(default=0)
    failed = models.BigIntegerField(default=0)
    parked = models.BigIntegerField(default=0)
    lost = models.BigIntegerField(default=0)
    last_event = models.TextField(blank=True)
    last_event_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(auto_now_add=True)
    seen_at = models.DateTimeField(auto_now=True, db_index=True)

    class Meta:
        verbose_name = "worker"
        ordering = ["host", "pid"]

    def __str__(self) -> str:
        return f"{self.consumer} {self.host}:{self.pid}"
