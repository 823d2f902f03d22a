"""Results of a benchmark: for the terminal, ``results.json``, and the documentation."""

import json
import os
import platform
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from tests.stack import ROOT

RESULTS = ROOT / "benchmarks" / "results.json"
DOCUMENT = ROOT / "docs" / "performance.md"
IMAGES = ROOT / "docs" / "images"
BAR = "#2e90fa"


@dataclass(frozen=True)
class Goal:
    """A ratio within one run, and its target.

    :param at_most: whether ``wanted`` is an upper instead of a lower limit.
    """

    what: str
    ratio: float
    wanted: float
    at_most: bool = False

    @property
    def is_met(self) -> bool:
        return self.ratio <= self.wanted if self.at_most else self.ratio >= self.wanted

    def cells(self) -> list[str]:
        sign = "≤" if self.at_most else "≥"
        verdict = "met" if self.is_met else "missed"
        return [self.what, f"{self.ratio:.2f}", f"{sign} {self.wanted:g}", verdict]


@dataclass
class Report:
    """The results of one benchmark.

    :param name: the command.
    :param unit: the unit of the rows' values.
    :param rows: the results of each contender in each round, by its name.
    :param lines: series to plot instead of the rows: points by name.
    :param axes: the labels of the plot's axes.
    :param notes: sentences about this run.
    """

    name: str
    unit: str
    rows: dict[str, list[float]]
    goals: list[Goal] = field(default_factory=list)
    lines: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    axes: tuple[str, str] = ("", "")
    notes: list[str] = field(default_factory=list)

    def median(self, row: str) -> float:
        return statistics.median(self.rows[row])

    def ratio(self, row: str, other: str) -> float:
        return self.median(row) / self.median(other)

    def cells(self) -> list[list[str]]:
        """The rows, with median, lowest and highest."""
        return [
            [name, *(number(v) for v in (self.median(name), min(values), max(values)))]
            for name, values in self.rows.items()
        ]

    def headings(self) -> list[str]:
        return ["", f"{self.unit}, median", "lowest", "highest"]


GOAL_HEADINGS = ["ratio", "is", "goal", ""]


def number(value: float) -> str:
    """A number with three significant digits, or all digits before the decimal point."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def show(report: Report) -> None:
    """Print it."""
    console = Console(width=100)
    tables = [(report.headings(), report.cells())]
    tables.append((GOAL_HEADINGS, [goal.cells() for goal in report.goals]))
    for headings, rows in tables:
        table = Table(*headings)
        for row in rows:
            table.add_row(*row)
        if rows:
            console.print(table)
    for note in report.notes:
        console.print(note)


def keep(report: Report) -> None:
    """Write it to results.json and docs/performance.md, and draw its plot."""
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    kept[report.name] = {**asdict(report), "machine": machine()}
    RESULTS.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
    image = f"performance-{report.name}.svg"
    draw(report, image)
    lines = [f"Run on {machine()}.", "", *markdown(report.headings(), report.cells())]
    if report.goals:
        lines += ["", *markdown(GOAL_HEADINGS, [goal.cells() for goal in report.goals])]
    for note in report.notes:
        lines += ["", note]
    lines += ["", f"![{report.name}](images/{image})"]
    _put(report.name, lines)


def machine() -> str:
    """Date and machine of this run."""
    cores = len(os.sched_getaffinity(0))
    return f"{datetime.now(UTC):%Y-%m-%d}, {cores} cores, Python {platform.python_version()}"


def markdown(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [f"| {' | '.join(headings)} |", f"| --- |{' ---: |' * (len(headings) - 1)}"]
    return lines + [f"| {' | '.join(row)} |" for row in rows]


def draw(report: Report, image: str) -> None:
    """Draw a bar with its range for each row, or the lines, if there are any."""
    # Only needed to keep results.
    import matplotlib as mpl
    from matplotlib import pyplot as plt

    mpl.use("svg")
    mpl.rcParams |= {"svg.hashsalt": "benchmarks", "svg.fonttype": "none", "font.size": 10}
    rows = len(report.rows)
    figure, axes = plt.subplots(figsize=(8, 3.2 if report.lines else 0.6 + 0.42 * rows))
    if report.lines:
        for name, points in report.lines.items():
            axes.plot(*zip(*points, strict=True), marker="o", markersize=3, label=name)
        axes.set(xlabel=report.axes[0], ylabel=report.axes[1], ylim=(0, None))
        axes.legend(frameon=False)
        axes.xaxis.set_major_formatter("{x:,.0f}")
    else:
        names = list(report.rows)[::-1]
        medians = [report.median(name) for name in names]
        spread = [
            [median - min(report.rows[n]) for n, median in zip(names, medians, strict=True)],
            [max(report.rows[n]) - median for n, median in zip(names, medians, strict=True)],
        ]
        axes.barh(names, medians, xerr=spread, color=BAR, ecolor="#667085", capsize=2)
        axes.set(xlabel=report.unit)
        axes.xaxis.set_major_formatter("{x:,g}")
    axes.spines[["top", "right"]].set_visible(False)
    IMAGES.mkdir(exist_ok=True)
    figure.savefig(IMAGES / image, bbox_inches="tight", facecolor="white", metadata={"Date": None})
    plt.close(figure)


def _put(name: str, lines: Sequence[str]) -> None:
    """Write the lines between the two markers of this name in the document."""
    begin, end = (f"<!-- {name}: {word} -->" for word in ("begin", "end"))
    before, mark, rest = DOCUMENT.read_text().partition(begin)
    _, closed, after = rest.partition(end)
    if not mark or not closed:
        raise ValueError(f"{DOCUMENT.name} has no {begin} and {end}")
    DOCUMENT.write_text("\n".join([f"{before}{begin}", *lines, f"{end}{after}"]))
