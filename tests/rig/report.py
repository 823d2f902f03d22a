"""The table of faults, for the terminal and the documentation."""

import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.rig.experiment import Result

COLUMNS = (
    "#",
    "fault",
    "sent",
    "stored",
    "doubled",
    "lost",
    "out of order",
    "parked",
    "recovered in",
)
BEGIN = "<!-- faults: begin -->"
END = "<!-- faults: end -->"


def cells(result: Result) -> list[str]:
    """One row, in the order of ``COLUMNS``."""
    account = result.account
    return [
        str(result.number),
        result.fault,
        f"{account.sent:,}",
        f"{account.stored:,}",
        str(account.doubled),
        str(account.lost),
        str(account.out_of_order),
        str(account.parked),
        f"{result.recovery_seconds:.1f} s",
    ]


def write_table(path: Path, rows: Sequence[Sequence[str]]) -> None:
    """Write the table between the two markers in a Markdown file."""
    before, _, rest = path.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    lines = [
        f"Run on {datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}.",
        "",
        _line(COLUMNS),
        _line(["---"] * 2 + ["---:"] * (len(COLUMNS) - 2)),
        *map(_line, rows),
    ]
    path.write_text("\n".join([f"{before}{BEGIN}", *lines, f"{END}{after}"]))


def _line(words: Sequence[str]) -> str:
    return f"| {' | '.join(words)} |"
