"""Everything that was ever signed about the chains, read together.

No statement replaces another. Where two of them disagree, one was signed over a chain that had
been rewritten, and which one it was is for people to find out.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from audit_service.audit.models import Checkpoint
from audit_service.audit.proof.checkpoints import BadCheckpoint, opened
from audit_service.audit.record.sealed import Key

Links = dict[int, bytes]
"""By position."""
Signed = dict[Key, Links]
Named = tuple[str, bytes]
"""An envelope, and what people call it."""


@dataclass(frozen=True)
class Disagreement:
    """Two checkpoints that say different things about the same entry.

    :param names: of the one that said it first, and of the one that contradicts it.
    """

    key: Key
    position: int
    names: tuple[str, str]

    def __str__(self) -> str:
        topic, partition = self.key
        first, second = self.names
        return (
            f"{topic}/{partition} at {self.position:,}: {first} and {second} were signed"
            " over different entries"
        )


class Statements:
    """What a number of checkpoints say.

    :ivar signed: the links that they vouch for. Where two disagree, it has the one that was given
        first, so that a chain rewritten in between does not pass for whole.
    :ivar disagreements: every contradiction between two of them.
    :ivar unreadable: for each that is no checkpoint, or that nobody trusted has signed, one line.

    :param envelopes: the checkpoints, in the order in which they were made.
    :param trusted: the keys that may have signed them.
    """

    def __init__(self, envelopes: Iterable[Named], trusted: Iterable[Ed25519PublicKey]) -> None:
        self.signed: Signed = {}
        self.disagreements: list[Disagreement] = []
        self.unreadable: list[str] = []
        self._first: dict[tuple[Key, int], str] = {}
        keys = list(trusted)
        for name, envelope in envelopes:
            try:
                ends = opened(envelope, keys).chains
            except BadCheckpoint as error:
                self.unreadable.append(f"{name}: {error}")
                continue
            for end in ends:
                self._add(name, end.key, end.position, bytes.fromhex(end.link))

    def problems(self, key: Key | None = None) -> list[str]:
        """Why they cannot all be believed, a line each.

        :param key: the only chain whose contradictions count; None for all.
        """
        contradictions = [d for d in self.disagreements if key in (None, d.key)]
        return [*self.unreadable, *map(str, contradictions)]

    def _add(self, name: str, key: Key, position: int, link: bytes) -> None:
        first = self._first.setdefault((key, position), name)
        if self.signed.setdefault(key, {}).setdefault(position, link) != link:
            self.disagreements.append(Disagreement(key, position, (first, name)))


def stored(*, exported_only: bool = False) -> list[Named]:
    """The checkpoints in the database, in the order in which they were made.

    :param exported_only: leave out those that were never written to a file.
    """
    checkpoints = Checkpoint.objects.order_by("id")
    if exported_only:
        checkpoints = checkpoints.filter(exported_at__isnull=False)
    return [(f"checkpoint {c.pk} of {c}", c.envelope.encode()) for c in checkpoints]
