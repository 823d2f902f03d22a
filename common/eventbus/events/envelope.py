"""The CloudEvents 1.0 envelope, as it lies on the wire.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
"""

import re
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Identifier = Annotated[str, Meta(min_length=1, max_length=255)]
Moment = Annotated[datetime, Meta(tz=True)]

NO_DATA = msgspec.Raw()
_NUMBER = re.compile(r"-?[0-9]{1,30}", re.ASCII)


class Envelope(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The attributes of an event, with ``data`` left as the bytes that came.

    Data that is not JSON is in ``data_base64``, in whatever mode it came.

    Attributes that are not named here are ignored when reading: the exact bytes are what
    the audit service keeps.
    """

    specversion: Literal["1.0"]
    id: Identifier
    source: Identifier
    type: Identifier
    subject: Identifier | None = None
    time: Moment | None = None
    datacontenttype: str | None = None
    dataschema: str | None = None
    partitionkey: Identifier | None = None
    sequence: int | str | None = None
    correlationid: str | None = None
    causationid: str | None = None
    actor: str | None = None
    traceparent: str | None = None
    data: msgspec.Raw = NO_DATA
    data_base64: str | None = None

    @property
    def sequence_number(self) -> int | None:
        """``sequence`` as a number; other producers may write it as text, or leave it out.

        None where it is no number, or none that a 64-bit column holds.
        """
        if isinstance(self.sequence, str) and not _NUMBER.fullmatch(self.sequence):
            return None
        if self.sequence is None:
            return None
        number = int(self.sequence)
        return number if -(2**63) <= number < 2**63 else None
