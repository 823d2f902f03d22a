"""Addresses and URLs that webhooks may be sent to, and how addresses share the time limit."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import ip_address
from typing import Any

import httpcore
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from notification_service.notifications.channels import http
from notification_service.notifications.destinations import addresses
from notification_service.notifications.destinations.public_addresses import is_public

SPECIAL = [
    ("RFC 791", "0.0.0.0"), ("RFC 791", "0.1.2.3"),
    ("RFC 1918", "10.0.0.0"), ("RFC 1918", "10.255.255.255"),
    ("RFC 1918", "172.16.0.0"), ("RFC 1918", "172.31.255.255"),
    ("RFC 1918", "192.168.0.0"), ("RFC 1918", "192.168.255.255"),
    ("RFC 6598", "100.64.0.0"), ("RFC 6598", "100.127.255.255"),
    ("RFC 1122", "127.0.0.1"), ("RFC 1122", "127.255.255.255"),
    ("RFC 3927", "169.254.0.0"), ("RFC 3927", "169.254.169.254"),
    ("RFC 6890", "192.0.0.0"), ("RFC 7335", "192.0.0.1"), ("RFC 7600", "192.0.0.8"),
    ("RFC 7723", "192.0.0.9"), ("RFC 8155", "192.0.0.10"), ("RFC 7050", "192.0.0.170"),
    ("RFC 5737", "192.0.2.1"), ("RFC 5737", "198.51.100.1"), ("RFC 5737", "203.0.113.255"),
    ("RFC 7535", "192.31.196.1"), ("RFC 7450", "192.52.193.1"), ("RFC 7526", "192.88.99.1"),
    ("RFC 6751", "192.88.99.2"), ("RFC 7534", "192.175.48.1"),
    ("RFC 2544", "198.18.0.0"), ("RFC 2544", "198.19.255.255"),
    ("RFC 5771", "224.0.0.1"), ("RFC 5771", "239.255.255.255"),
    ("RFC 1112", "240.0.0.0"), ("RFC 919", "255.255.255.255"),
    ("RFC 4291, unspecified", "::"), ("RFC 4291, loopback", "::1"),
    ("RFC 4291, IPv4-compatible", "::7f00:1"), ("RFC 4291, IPv4-compatible", "::5db8:d70e"),
    ("RFC 4291, IPv4-mapped", "::ffff:127.0.0.1"), ("RFC 4291, IPv4-mapped", "::ffff:10.0.0.8"),
    ("RFC 2765, IPv4-translated", "::ffff:0:7f00:1"),
    ("RFC 2765, IPv4-translated", "::ffff:0:5db8:d70e"),
    ("RFC 6052, NAT64", "64:ff9b::7f00:1"), ("RFC 6052, NAT64", "64:ff9b::a9fe:a9fe"),
    ("RFC 8215, local NAT64", "64:ff9b:1::a9fe:a9fe"), ("RFC 8215", "64:ff9b:1::5db8:d70e"),
    ("RFC 6666", "100::1"), ("RFC 9780", "100:0:0:1::1"),
    ("RFC 2928", "2001:1ff:ffff::1"), ("RFC 4380, Teredo", "2001:0:7f00:1::1"),
    ("RFC 4380, Teredo", "2001::5db8:d70e"), ("RFC 7723", "2001:1::1"), ("RFC 8155", "2001:1::2"),
    ("RFC 9665", "2001:1::3"), ("RFC 5180", "2001:2::1"), ("RFC 7450", "2001:3::1"),
    ("RFC 7535", "2001:4:112::1"), ("RFC 4843", "2001:10::1"), ("RFC 7343", "2001:20::1"),
    ("RFC 9374", "2001:30::1"), ("RFC 3849", "2001:db8::1"),
    ("RFC 3056, 6to4", "2002:7f00:1::"), ("RFC 3056, 6to4", "2002:5db8:d70e::1"),
    ("RFC 7534", "2620:4f:8000::1"), ("RFC 9637", "3fff::1"), ("RFC 9602", "5f00::1"),
    ("RFC 4193", "fc00::1"), ("RFC 4193", "fdff::1"), ("RFC 4291, link-local", "fe80::1"),
    ("RFC 3879, site-local", "fec0::1"), ("RFC 4291, multicast", "ff02::1"),
    ("RFC 4291, multicast", "ff0e::1"), ("RFC 4007, zone", "fe80::1%eth0"),
    ("RFC 4007, zone", "2600::1%eth0"), ("RFC 4291, unallocated", "4000::1"),
]  # fmt: skip
PUBLIC = [
    "1.1.1.1", "93.184.215.14", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0",
    "126.255.255.255", "128.0.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0", "198.17.255.255",
    "198.20.0.0", "223.255.255.255", "::ffff:93.184.215.14", "64:ff9b::5db8:d70e", "2001:200::1",
    "2001:db7::1", "2003::1", "2600::1", "2a00:1450::1", "3ffe::1",
]  # fmt: skip


@pytest.mark.parametrize(("source", "address"), SPECIAL)
def test_addresses_that_are_not_public(source: str, address: str) -> None:
    assert not is_public(ip_address(address)), source


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "address", [address for _, address in SPECIAL if ":" in address and "%" not in address]
)
def test_urls_with_addresses_that_are_not_public_are_rejected(address: str) -> None:
    with pytest.raises(addresses.AddressRefused, match="private network"):
        addresses.checked_url(f"https://[{address}]/")


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/", "ftp://example.com/", "https://", "https:///x", "https://[::1",
        "https://me:secret@example.com/", "https://localhost/", "https://LOCALHOST./",
        "https://a.localhost/", "https://127.0.0.1/", "https://127.0.0.1./", "https://0.0.0.0/",
        "https://[fe80::1%25eth0]/", "https://[2600::1%25eth0]/", "https://\uff11\uff12\uff17.0.0.1/",
        "https://example.com:99999/", "https://example.com/#x", "https://a..example/",
        f"https://{'a' * 64}.example/", "https://example.com/\ud800", "https://faß.example/",
        "https://βόλος.example/", "https://a\u200db.example/", "https://ex\u00adample.com/",
    ],
)  # fmt: skip
def test_urls_that_are_rejected_without_resolving_them(url: str) -> None:
    with pytest.raises(addresses.AddressRefused):
        addresses.checked_url(url)


@pytest.mark.parametrize(
    ("url", "form"),
    [
        ("https://example.com/hook?x=1", None),
        ("https://93.184.215.14:8443/", None),
        ("https://[2600::1]:8443/a?b=%20c", None),
        ("https://example.com", None),
        ("HTTPS://Example.COM/Path", "https://example.com/Path"),
        ("https://münchen.example/straße?größe=ü", "https://xn--mnchen-3ya.example/stra%C3%9Fe?gr%C3%B6%C3%9Fe=%C3%BC"),
        ("https://MÜNCHEN.example/", "https://xn--mnchen-3ya.example/"),
        ("https://mu\u0308nchen.example/", "https://xn--mnchen-3ya.example/"),
        ("https://xn--fa-hia.example/", None),
        ("https://日本語.example:8443/お茶", "https://xn--wgv71a119e.example:8443/%E3%81%8A%E8%8C%B6"),
        ("https://example.com/a b|c", "https://example.com/a%20b%7Cc"),
    ],
)  # fmt: skip
def test_urls_are_converted_to_ascii(url: str, form: str | None) -> None:
    assert addresses.checked_url(url) == (form or url)


@given(st.text(), st.text())
def test_an_accepted_url_is_ascii_and_is_not_converted_again(host: str, rest: str) -> None:
    for url in (f"https://{host}.example/{rest}", f"https://example.com/{rest}", rest):
        try:
            taken = addresses.checked_url(url)
        except addresses.AddressRefused:
            continue
        assert taken.isascii()
        assert addresses.checked_url(taken) == taken
        httpcore.URL(taken)


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that DNS resolves ``*.example`` to."""
    known: list[str] = []
    ask = socket.getaddrinfo

    def getaddrinfo(host: str, port: int, *words: Any, **options: Any) -> list[Any]:
        if not host.endswith(".example"):
            return ask(host, port, *words, **options)
        return [(0, 0, 0, "", (address, port)) for address in known]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return known


@pytest.mark.parametrize(
    "private", ["127.0.0.1", "::1", "::7f00:1", "::ffff:10.0.0.8", "fe80::1%2"]
)
def test_a_name_that_resolves_to_a_private_address_is_rejected(
    found: list[str], private: str
) -> None:
    found += ["93.184.215.14", private]
    network = http.GuardedNetwork(5)
    network.start_clock()
    with pytest.raises(addresses.AddressRefused, match="private"):
        network.connect_tcp("innocent.example", 443)


def test_a_numeric_host_that_means_this_machine_is_rejected() -> None:
    with pytest.raises(addresses.AddressRefused):
        addresses.resolve("2130706433", 80)


@contextmanager
def listening(address: str, port: int = 0) -> Iterator[socket.socket]:
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((address, port))
        server.listen(0)
        yield server


@contextmanager
def black_hole(address: str, port: int) -> Iterator[None]:
    """A socket whose backlog is full, so that the kernel drops every further SYN."""
    with listening(address, port) as server, ExitStack() as stack:
        for _ in range(8):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        yield


@pytest.fixture
def private(settings: Settings) -> None:
    settings.WEBHOOK_ALLOW_PRIVATE = True


@pytest.mark.parametrize("silent", [["127.0.0.2"], ["127.0.0.2", "127.0.0.3"]])
def test_an_unresponsive_address_leaves_time_for_the_next(
    private: None, found: list[str], monkeypatch: pytest.MonkeyPatch, silent: list[str]
) -> None:
    monkeypatch.setattr(http, "LEAST_SECONDS", 0.1)
    with listening("127.0.0.1") as server, ExitStack() as stack:
        port = server.getsockname()[1]
        for address in silent:
            stack.enter_context(black_hole(address, port))
        found += [*silent, "127.0.0.1"]
        network = http.GuardedNetwork(1.5)
        network.start_clock()
        stream = network.connect_tcp("two.example", port)
        assert stream.get_extra_info("server_addr")[0] == "127.0.0.1"
        assert network.left() > 0.2
        stream.close()


def test_many_unresponsive_addresses_take_no_longer_than_one(
    private: None, found: list[str]
) -> None:
    with listening("127.0.0.1") as server, ExitStack() as stack:
        port = server.getsockname()[1]
        found += [f"127.0.0.{n}" for n in range(2, 12)]
        for address in found:
            stack.enter_context(black_hole(address, port))
        network = http.GuardedNetwork(0.5)
        network.start_clock()
        started = time.monotonic()
        with pytest.raises(httpcore.TimeoutException):
            network.connect_tcp("dead.example", port)
        assert time.monotonic() - started < 2


def test_an_address_that_refuses_connections_costs_no_time(private: None, found: list[str]) -> None:
    with listening("127.0.0.1") as server:
        found += ["127.0.0.2", "127.0.0.1"]
        network = http.GuardedNetwork(5)
        network.start_clock()
        network.connect_tcp("two.example", server.getsockname()[1]).close()
        assert network.left() > 4


def test_address_families_alternate() -> None:
    six, four = ["2600::1", "2600::2", "2600::3"], ["1.1.1.1"]
    assert http.interleaved([*six, *four]) == ["2600::1", "1.1.1.1", "2600::2", "2600::3"]
    assert http.interleaved([*four, *six]) == ["1.1.1.1", *six]
    assert http.interleaved(four) == four
    assert http.interleaved([]) == []
