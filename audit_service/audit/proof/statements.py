"""Everything that was ever signed about the chains, read together.

No statement replaces another. If two disagree, one of them was signed over a chain that had been
rewritten. People have to find out which.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from audit_service.audit.models import Checkpoint
from audit_service.audit.proof.checkpoints import BadCheckpoint, opened
from audit_service.audit.record.sealed import Key

Links = dict[int, bytes]
"""Links by position."""
Signed = dict[Key, Links]
Named = tuple[str, bytes]
"""The name of an envelope for messages, and the envelope."""


@dataclass(frozen=True)
class Disagreement:
    """Two checkpoints that disagree about the same entry.

    :param names: of the checkpoint that is earlier, and of the one that contradicts it.
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
    """The combined statements of some checkpoints.

    :ivar signed: the signed links. If two disagree, it has the earlier one, so that a chain that
        was rewritten in between does not pass verification.
    :ivar disagreements: every contradiction between two of them.
    :ivar unreadable: one line for each that is not a checkpoint, or not signed by a trusted key.

    :param envelopes: the checkpoints, oldest first.
    :param trusted: the keys whose signatures are accepted.
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
        """The reasons why not all of them can be trusted, one line each.

        :param key: limits the contradictions to one chain; None for all.
        """
        contradictions = [d for d in self.disagreements if key in (None, d.key)]
        return [*self.unreadable, *map(str, contradictions)]

    def _add(self, name: str, key: Key, position: int, link: bytes) -> None:
        first = self._first.setdefault((key, position), name)
        if self.signed.setdefault(key, {}).setdefault(position, link) != link:
            self.disagreements.append(Disagreement(key, position, (first, name)))


def stored(*, exported_only: bool = False) -> list[Named]:
    """The checkpoints in the database, oldest first.

    :param exported_only: leave out those that were never written to a file.
    """
    checkpoints = Checkpoint.objects.order_by("id")
    if exported_only:
        checkpoints = checkpoints.filter(exported_at__isnull=False)
    return [(f"checkpoint {c.pk} of {c}", c.envelope.encode()) for c in checkpoints]
