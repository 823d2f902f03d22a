"""``python -m benchmarks consume --quick``; without a name, all of them in turn."""

import argparse
import importlib
import sys

from benchmarks.report import keep, show
from benchmarks.rig import rig
from eventbus.running import lifeline
from tests.stack import ROOT

NAMES = (
    "consume",
    "relay",
    "publish",
    "triggers",
    "request",
    "latency",
    "scale",
    "memory",
    "deciding",
    "proof",
)


def main() -> None:
    options = parser().parse_args()
    if options.name:
        run(options.name, options)
        return
    further = [word for word in sys.argv[1:] if word.startswith("--")]
    failed = []
    for name in NAMES:
        sys.stdout.write(f"\n{name}\n")
        sys.stdout.flush()
        # Each runs another service, and Django can be set up only once per process.
        command = [sys.executable, "-m", "benchmarks", name, *further]
        if lifeline.run(command, cwd=ROOT, check=False).returncode:
            failed.append(name)
    if failed:
        sys.exit(f"These failed: {', '.join(failed)}")


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    made.add_argument("name", nargs="?", choices=NAMES)
    made.add_argument(
        "--quick", action="store_true", help="a small, short run, to see whether it works"
    )
    made.add_argument(
        "--embedded", action="store_true", help="use the demo's broker, not Apache Kafka"
    )
    made.add_argument(
        "--keep",
        action="store_true",
        help="write results.json, the tables and plots of docs/performance.md",
    )
    return made


def run(name: str, options: argparse.Namespace) -> None:
    benchmark = importlib.import_module(f"benchmarks.measurements.{name}")
    with rig(quick=options.quick, embedded=options.embedded) as servers:
        report = benchmark.measure(servers)
    show(report)
    if options.keep:
        keep(report)


if __name__ == "__main__":
    main()
