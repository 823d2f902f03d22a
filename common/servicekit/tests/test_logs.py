"""Logs: one line per event, including its traceback, if any."""

import json
import logging
import logging.config
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any

import pytest
import structlog

from common.servicekit.logs import logging_config


@pytest.fixture
def lines() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """The JSON output of a program with this logging configuration."""
    output = StringIO()
    config = logging_config("INFO", as_json=True)
    config["handlers"]["stderr"]["stream"] = output
    root = logging.getLogger()
    before = root.handlers, root.level
    logging.config.dictConfig(config)
    yield lambda: [json.loads(line) for line in output.getvalue().splitlines()]
    root.handlers, root.level = before


def test_an_exception_is_one_line_with_its_traceback(
    lines: Callable[[], list[dict[str, Any]]],
) -> None:
    try:
        raise ValueError("no kettle")
    except ValueError:
        logging.getLogger("django.request").exception("library")
        structlog.get_logger("ours").exception("ours", place="shelf")
    library, ours = lines()
    for line in (library, ours):
        assert line["level"] == "error"
        assert "Traceback" in line["exception"]
        assert "no kettle" in line["exception"]
    assert (library["logger"], ours["place"]) == ("django.request", "shelf")


def test_context_bound_to_the_request_is_on_every_line(
    lines: Callable[[], list[dict[str, Any]]],
) -> None:
    with structlog.contextvars.bound_contextvars(correlation_id="order-4711"):
        logging.getLogger("library").warning("one")
        structlog.get_logger("ours").warning("two")
    assert [line["correlation_id"] for line in lines()] == ["order-4711", "order-4711"]
