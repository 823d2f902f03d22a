"""Which addresses a webhook may go to: none that only this machine or its network can reach.

Otherwise whoever may name a URL could have this service knock on the doors of its own network
(OWASP, Server-Side Request Forgery).
"""

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

from django.conf import settings

NAT64 = IPv6Network("64:ff9b::/96")
"""RFC 6052: the last four bytes are an IPv4 address."""


class Refused(Exception):
    """The address is one that nothing is sent to; the text says why."""


def check_url(url: str) -> None:
    """What can be said of a URL before its name is resolved.

    :raises Refused: where it is no plain HTTPS URL, or names a private address.
    """
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - says whether it is a number
    except ValueError:
        raise Refused("This is no valid URL.") from None
    if parts.scheme != "https" and not (settings.WEBHOOK_ALLOW_PRIVATE and parts.scheme == "http"):
        raise Refused("It must begin with https://.")
    if not parts.hostname:
        raise Refused("It names no host.")
    if parts.username is not None or parts.password is not None:
        raise Refused("It must have no user name and no password.")
    if parts.fragment:
        raise Refused("It must have no fragment.")
    literal = "127.0.0.1" if parts.hostname == "localhost" else parts.hostname
    if _is_address(literal):
        _check_addresses(parts.hostname, [literal])


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host, all of them public.

    One private address among them refuses the host: which one answers is not ours to choose.

    :raises Refused: where one is private.
    :raises OSError: where the name cannot be resolved.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    _check_addresses(host, addresses)
    return addresses


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is one of the internet, whatever other address hides in it."""
    if isinstance(address, IPv6Address):
        hidden = address.ipv4_mapped or address.sixtofour
        if address in NAT64:
            hidden = IPv4Address(int(address) & 0xFFFF_FFFF)
        if hidden is not None:
            return is_public(hidden)
        if address.teredo is not None or address.is_site_local:
            return False
    return address.is_global and not address.is_multicast


def _check_addresses(host: str, addresses: list[str]) -> None:
    if settings.WEBHOOK_ALLOW_PRIVATE:
        return
    for text in addresses:
        if not is_public(ip_address(text.partition("%")[0])):
            raise Refused(f"{host} is an address of a private network.")


def _is_address(host: str) -> bool:
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True
