"""The worker from an operator's view: options, processes, signals, exit codes."""

import os
import signal
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from demo.broker import EmbeddedBroker
from tests.rig.kafka import KafkaCluster
from tests.stack import (
    Broker,
    Databases,
    Stack,
    eventually,
    free_port,
    lines_with,
    running,
    stopping,
    trouble,
)

SUPERVISED = f"--max-memory-per-child={2**30}"
"""A supervisor and one process, which works on SQLite too."""


@pytest.fixture(scope="module")
def life(
    real: bool, databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """Kafka, the relay, the pages of product and audit, for all tests here."""
    home = tmp_path_factory.mktemp("life")
    broker: Broker = KafkaCluster(home / "kafka") if real else EmbeddedBroker(free_port())
    with running(broker):
        for started in stopping(Stack(home, databases, broker.server)):
            started.manage("product", "create_topics")
            for service in ("product", "audit"):
                started.serve(service)
            started.start("product", "relay_events")
            yield started


@pytest.fixture
def stack(life: Stack) -> Iterator[Stack]:
    """The same; the workers belong to the test, and end with it."""
    with life.visit():
        yield life


def fill(stack: Stack, events: int) -> dict[str, Any]:
    """A product with this many events, all of them in Kafka."""
    product = stack.create_product(f"LIFE-{next(numbers)}")
    for stock in range(10, 9 + events):
        stack.change(product, stock=stock)
    eventually(lambda: stack.ready("product")["outbox"] == 0)
    return product


numbers = count()


def test_it_leaves_after_max_events(stack: Stack) -> None:
    stack.manage("audit", "consume_events", "--drain")
    product = fill(stack, 10)
    output = stack.manage("audit", "consume_events", "--max-events=7")
    assert "7 handled, 0 failed, 0 parked" in output
    assert stack.recorded(product) == list(range(1, 8))
    output = stack.manage("audit", "consume_events", "--max-events=3", "--batch-size=2")
    assert "3 handled" in output
    assert stack.recorded(product) == list(range(1, 11))


@pytest.mark.real
def test_groups_and_topics_can_be_chosen(stack: Stack) -> None:
    fill(stack, 3)
    words = ("consume_events", "--drain", "--group=other", "--topics=product.events")
    output = stack.manage("notification", *words)
    assert "group        other" in output
    assert not lines_with("Stopped: 0 handled", output)
    assert lines_with("Stopped: 0 handled", stack.manage("notification", *words))
    lacking = stack.start("audit", "consume_events", "--topics=order.events,product.events")
    eventually(lambda: lines_with("Kafka has no topic order.events;", lacking.output))


@pytest.mark.real
def test_it_logs_at_the_chosen_level(stack: Stack) -> None:
    loud = stack.start("audit", "consume_events", "--drain", "--loglevel=info")
    assert loud.wait() == 0
    quiet = stack.start("audit", "consume_events", "--drain", "-l", "ERROR")
    assert quiet.wait() == 0
    assert lines_with("partitions assigned", loud.output)
    assert not lines_with("partitions assigned", quiet.output)


def test_the_second_signal_ends_it_immediately(stack: Stack) -> None:
    product = fill(stack, 3)
    held = stack.directory / "held"
    worker = stack.start("audit", "consume_events", **trouble(HOLD_INSIDE=held))
    eventually(held.exists)
    os.kill(worker.pid, signal.SIGTERM)
    eventually(lambda: lines_with("finishing the work in progress", worker.output))
    assert worker.running
    os.kill(worker.pid, signal.SIGTERM)
    assert worker.wait(2) == 128 + signal.SIGTERM
    assert lines_with("stopped immediately", worker.output)
    assert stack.recorded(product) == []


@pytest.mark.real
def test_a_change_of_the_code_restarts_it(stack: Stack) -> None:
    """Django's autoreloader, after the batch and with a proper leave, so without a timeout."""
    module = stack.directory / "reloadable.py"
    module.write_text("")
    settings = stack.directory / "reloading.py"
    settings.write_text("import reloadable\nfrom audit_service.settings import *\n")
    path = f"{stack.directory}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    stack.manage("audit", "consume_events", "--drain")
    worker = stack.start(
        "audit", "consume_events", "--reload", DJANGO_SETTINGS_MODULE="reloading", PYTHONPATH=path
    )
    eventually(lambda: lines_with("partitions assigned", worker.output))
    time.sleep(1.1)  # the reloader compares times of change, and looks once a second
    module.write_text("CHANGED = True\n")
    eventually(lambda: len(lines_with("partitions assigned", worker.output)) == 2)
    assert len(lines_with("consume_events of audit_service", worker.output)) == 2
    assert lines_with("Stopped: 0 handled", worker.output)


@pytest.mark.real
def test_several_processes_share_the_partitions(stack: Stack) -> None:
    command = stack.start("audit", "consume_events", "--concurrency=3")
    eventually(lambda: shares(stack) == [2, 2, 2])
    product = fill(stack, 20)
    eventually(lambda: len(stack.recorded(product)) == 20)
    pids = workers(stack).keys()
    assert command.pid not in pids
    assert command.stop() == 0
    assert len(lines_with("Stopped:", command.output)) == 3
    assert not any(alive(pid) for pid in pids)


@pytest.mark.real
def test_a_process_that_dies_is_restarted_and_logged(stack: Stack) -> None:
    command = stack.start("audit", "consume_events", "--concurrency=2")
    eventually(lambda: shares(stack) == [3, 3])
    [victim, survivor] = workers(stack)
    os.kill(victim, signal.SIGKILL)
    [line] = eventually(lambda: lines_with("worker died", command.output))
    assert "SIGKILL" in line
    eventually(lambda: len(lines_with("worker started", command.output)) == 3)
    eventually(lambda: shares(stack) == [3, 3])
    assert survivor in workers(stack)
    assert victim not in workers(stack)
    product = fill(stack, 20)
    eventually(lambda: len(stack.recorded(product)) == 20)


@pytest.mark.real
def test_processes_leave_when_their_supervisor_is_killed(stack: Stack) -> None:
    command = stack.start("audit", "consume_events", "--concurrency=2")
    eventually(lambda: shares(stack) == [3, 3])
    pids = workers(stack).keys()
    command.kill()
    eventually(lambda: not any(alive(pid) for pid in pids))
    assert len(lines_with("Stopped:", command.output)) == 2


def test_one_that_hangs_does_not_outlive_its_supervisor_either(stack: Stack) -> None:
    product = fill(stack, 3)
    held = stack.directory / "held-when-killed"
    command = stack.start("audit", "consume_events", SUPERVISED, **trouble(HOLD_INSIDE=held))
    eventually(held.exists)
    [pid] = workers(stack)
    assert pid != command.pid
    command.kill()
    eventually(lambda: not alive(pid))
    assert stack.recorded(product) == []


COMMANDS = [
    ("product", "relay_events"),
    ("audit", "consume_events"),
    ("audit", "consume_events", SUPERVISED),
    ("notification", "deliver"),
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_terminal_that_closes_lets_it_finish(stack: Stack, words: list[str]) -> None:
    product = fill(stack, 1)
    service, *command = words
    process = stack.start(service, *command)
    if service == "audit":
        eventually(lambda: stack.recorded(product) == [1])
    eventually(lambda: catches_hang_ups(process.pid))
    for _ in range(2):  # a shell forwards SIGHUP, and the kernel sends its own
        os.kill(process.pid, signal.SIGHUP)
    assert process.wait() == 0
    assert lines_with("finishing the work in progress", process.output)


@pytest.mark.real
def test_processes_of_the_reloader_do_not_outlive_it(stack: Stack) -> None:
    command = stack.start("audit", "consume_events", "--reload")
    eventually(lambda: shares(stack) == [6])
    [pid] = workers(stack)
    assert pid != command.pid
    command.kill()
    eventually(lambda: not alive(pid))
    assert lines_with("Stopped:", command.output)


@pytest.mark.real
def test_the_second_signal_ends_all_processes_immediately(stack: Stack) -> None:
    fill(stack, 3)
    held = stack.directory / "held-by-several"
    command = stack.start("audit", "consume_events", "-c2", **trouble(HOLD_INSIDE=held))
    eventually(held.exists)
    pids = workers(stack).keys()
    os.kill(command.pid, signal.SIGINT)
    eventually(lambda: lines_with("finishing the work in progress", command.output))
    os.kill(command.pid, signal.SIGINT)
    assert command.wait(2) == 128 + signal.SIGINT
    eventually(lambda: not any(alive(pid) for pid in pids), seconds=2)


@pytest.mark.real
def test_all_processes_drain_and_leave(stack: Stack) -> None:
    product = fill(stack, 10)
    stack.manage("audit", "consume_events", "--drain", "--concurrency=2")
    assert stack.recorded(product) == list(range(1, 11))


@pytest.mark.real
def test_a_process_that_uses_too_much_memory_is_replaced(stack: Stack) -> None:
    product = fill(stack, 4)
    command = stack.start("audit", "consume_events", "--max-memory-per-child=1", "--batch-size=2")
    eventually(lambda: len(lines_with("reached --max-memory-per-child", command.output)) == 2)
    assert stack.recorded(product) == [1, 2, 3, 4]
    assert not lines_with("worker died", command.output)
    assert command.stop() == 0


def test_sqlite_takes_one_process(stack: Stack) -> None:
    if "sqlite" not in stack.database_urls["audit"]:
        pytest.skip("this is about SQLite")
    refused = stack.start("audit", "consume_events", "--concurrency=2")
    assert refused.wait() == 2
    assert lines_with("SQLite allows only one writer", refused.output)


def catches_hang_ups(pid: int) -> bool:
    """Whether a process has a handler of its own for SIGHUP, see proc_pid_status(5)."""
    status = Path(f"/proc/{pid}/status").read_text()
    [mask] = [line.split()[1] for line in status.splitlines() if line.startswith("SigCgt")]
    return bool(int(mask, 16) & 1 << signal.SIGHUP - 1)


def shares(stack: Stack) -> list[int]:
    """The number of partitions of each worker."""
    return sorted(workers(stack).values())


def workers(stack: Stack) -> dict[int, int]:
    """The live workers by process id, with the number of partitions of each."""
    known = stack.ready("audit")["workers"]
    return {w["pid"]: len(w["partitions"]) for w in known if alive(w["pid"])}


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
