"""HTTP requests to external receivers: only to checked addresses, and within a time limit."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, zip_longest
from typing import Any

import httpcore

from notification_service.notifications.destinations.addresses import resolve

LEAST_SECONDS = 2.0
"""Time to connect to one of several addresses. A lost SYN is retransmitted after one second
(RFC 6298, section 2)."""


class GuardedNetwork(httpcore.NetworkBackend):
    """Connects to exactly the addresses that were checked, so that DNS rebinding has no effect.

    :param seconds: limit for the whole request: connecting, TLS, sending and the whole response. A
        timeout per read alone would let a slow receiver hold the connection for ever.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._deadline = 0.0
        self._sockets = httpcore.SyncBackend()
        self.has_connected = False
        """Whether a connection was opened since the clock was started."""

    def start_clock(self) -> None:
        """Start the time limit of one request."""
        self._deadline = time.monotonic() + self._seconds
        self.has_connected = False

    @contextmanager
    def at_most(self, seconds: float) -> Iterator[None]:
        """Shorten the remaining time for what is done in this block; never extend it."""
        deadline = self._deadline
        self._deadline = min(deadline, time.monotonic() + seconds)
        try:
            yield
        finally:
            self._deadline = deadline

    def left(self) -> float:
        """Return the remaining seconds.

        :raises httpcore.TimeoutException: if the time is up.
        """
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout(f"no response within {self._seconds:g} s")
        return left

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first address that responds.

        Each address gets a share of the remaining time, so that an unresponsive one leaves time for
        the next (in the spirit of RFC 8305, but one after the other).
        """
        self.has_connected = True
        addresses = interleaved(resolve(host, port))
        failure: Exception | None = None
        for place, address in enumerate(addresses):
            share = max(self.left() / (len(addresses) - place), LEAST_SECONDS)
            try:
                stream = self._sockets.connect_tcp(
                    address, port, min(share, self.left()), local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _TimedStream(stream, self)
        raise failure or httpcore.ConnectError(f"{host} has no address")


def interleaved(addresses: Sequence[str]) -> list[str]:
    """Order addresses by alternating families (RFC 8305, section 4), so that a network without a
    route for one family does not use up the time.

    >>> interleaved(["2600::1", "2600::2", "192.0.2.1"])
    ['2600::1', '192.0.2.1', '2600::2']
    """
    of_first = [address for address in addresses if (":" in address) == (":" in addresses[0])]
    others = [address for address in addresses if address not in of_first]
    return [address for address in chain(*zip_longest(of_first, others)) if address]


class _TimedStream(httpcore.NetworkStream):
    """A connection whose operations share the time limit of the request."""

    def __init__(self, stream: httpcore.NetworkStream, network: GuardedNetwork) -> None:
        self._stream = stream
        self._network = network

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._network.left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._network.left())

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        stream = self._stream.start_tls(ssl_context, server_hostname, self._network.left())
        return _TimedStream(stream, self._network)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
