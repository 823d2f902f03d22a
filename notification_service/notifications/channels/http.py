"""HTTP to strangers: only to addresses that were checked, and never for longer than allowed."""

import time
from collections.abc import Iterable
from typing import Any

import httpcore

from notification_service.notifications.channels.addresses import resolve


class GuardedNetwork(httpcore.NetworkBackend):
    """Connects to the very addresses that were checked, so that DNS cannot change its mind.

    :param seconds: for everything: connecting, TLS, sending, and each byte of the answer. A
        time-out for each read alone would let a receiver that drips hold on for ever.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._deadline = 0.0
        self._sockets = httpcore.SyncBackend()

    def start_clock(self) -> None:
        """Begin the time of one request."""
        self._deadline = time.monotonic() + self._seconds

    def left(self) -> float:
        """The seconds that are left.

        :raises httpcore.TimeoutException: where none are.
        """
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout(f"no answer within {self._seconds:g} s")
        return left

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        failure: Exception | None = None
        for address in resolve(host, port):
            try:
                stream = self._sockets.connect_tcp(
                    address, port, self.left(), local_address, socket_options
                )
            except httpcore.ConnectError as error:
                failure = error
            else:
                return _TimedStream(stream, self)
        raise failure or httpcore.ConnectError(f"{host} has no address")


class _TimedStream(httpcore.NetworkStream):
    """A connection whose every operation ends with the time of the request."""

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
