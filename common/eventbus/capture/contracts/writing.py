"""Writing the contract classes of a published model, as the source of a module.

They are not made when Django starts: a module under version control has its changes reviewed, and a
column that is renamed changes no contract in silence.
"""

import json
from collections.abc import Iterable, Iterator

from eventbus.capture.publication import Publication

FIRST_LINE = "# Written by manage.py write_contracts. Change the declaration and run it again."


def class_name(publication: Publication) -> str:
    """What its classes begin with: ``StockRecord`` for ``stock_record``."""
    return "".join(word.capitalize() for word in publication.event.split("_"))


def source(publication: Publication) -> str:
    """A module with the contract classes of a publication."""
    name = class_name(publication)
    verbose = str(publication.model._meta.verbose_name)
    named = verbose[:1].upper() + verbose[1:]
    topic = json.dumps(publication.topic)
    key = publication.key.column
    [key_name] = [f.name for f in publication.fields if f.column is key and f.beyond is None]
    lines = [
        FIRST_LINE,
        f'"""The events of {publication.event}: each change of a row is one."""',
        "",
        *_imports(publication),
        "",
        f"TOPIC = {topic}",
        "",
        "",
        f"class {name}(Contract, frozen=True, kw_only=True):",
        f'    """{named}, as its columns are."""',
        "",
        *(line for field in publication.fields for line in _field(field.name, field.annotation)),
        "",
        "    @property",
        "    def subject(self) -> str:",
        f"        return str(self.{key_name})",
        *_sequence(publication),
        "",
        "",
        f"class {name}Previous(Struct, frozen=True, kw_only=True):",
        '    """The old values of the fields that an update changed; the others are left out."""',
        "",
        *_previous(publication),
        "",
        "",
        *_event(publication, "created", f"{named}: created."),
        "",
        "",
        *_event(publication, "updated", f"{named}: changed; ``data`` has the new values."),
        "",
        f"    previous: {name}Previous",
        "",
        "",
        *_event(publication, "deleted", f"{named}: deleted; ``data`` has the last values."),
        *_last_sequence(publication),
        "",
        "",
        *_event(publication, "snapshot", f"{named}: as it is, whatever was published before."),
    ]
    return "\n".join(lines) + "\n"


def _imports(publication: Publication) -> Iterator[str]:
    from_kinds = {line for field in publication.fields for line in field.kind.imports}
    yield from sorted(_merged(line for line in from_kinds if "msgspec" not in line))
    if any("msgspec" not in line for line in from_kinds):
        yield ""  # the standard library is a block of its own
    meta = "Meta, " if any("msgspec" in line for line in from_kinds) else ""
    previous = ["UNSET, ", ", UnsetType"] if publication.watched else ["", ""]
    yield "from eventbus.events import Contract, event"
    yield f"from msgspec import {previous[0]}{meta}Struct{previous[1]}"


def _merged(lines: Iterable[str]) -> Iterator[str]:
    """One line for each module, as import sorters want it."""
    names: dict[str, list[str]] = {}
    for line in sorted(lines):
        module, _, name = line.partition(" import ")
        names.setdefault(module, []).append(name)
    for module, imported in names.items():
        yield f"{module} import {', '.join(imported)}"


def _field(name: str, annotation: str) -> Iterator[str]:
    yield f"    {name}: {annotation}"


def _sequence(publication: Publication) -> Iterator[str]:
    if publication.counter is None:
        return
    yield ""
    yield "    @property"
    yield "    def sequence(self) -> int:"
    yield f"        return self.{_counter_name(publication)}"


def _last_sequence(publication: Publication) -> Iterator[str]:
    if publication.counter is None:
        return
    yield ""
    yield "    @property"
    yield "    def sequence(self) -> int:"
    yield '        """One past the last change: the deletion is a change too."""'
    yield f"        return self.{_counter_name(publication)} + 1"


def _counter_name(publication: Publication) -> str:
    return next(f.name for f in publication.fields if f.column is publication.counter)


def _previous(publication: Publication) -> Iterator[str]:
    for field in publication.watched:
        yield f"    {field.name}: {field.annotation} | UnsetType = UNSET"
    if not publication.watched:
        yield "    pass"


def _event(publication: Publication, verb: str, text: str) -> Iterator[str]:
    name = class_name(publication)
    last = ", is_last=True" if verb == "deleted" else ""
    yield f'@event("{publication.event}.{verb}", topic=TOPIC{last})'
    yield f"class {name}{verb.capitalize()}({name}, frozen=True, kw_only=True):"
    yield f'    """{text}"""'
