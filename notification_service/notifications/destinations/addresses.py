"""Which URLs and addresses a webhook may go to: none that only this machine or its network reach.

Otherwise whoever may name a URL could have this service knock on the doors of its own network
(OWASP, Server-Side Request Forgery).
"""

import socket
import unicodedata
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit, urlunsplit

from django.conf import settings
from django.utils.encoding import iri_to_uri

from notification_service.notifications.destinations.public_addresses import is_public

LOCAL = ".localhost"
"""And all names under it (RFC 6761, section 6.3)."""
NO_URL = "This is no valid URL."
NOT_ASCII = "Its host name has letters that are not understood alike everywhere: write it as xn--…"


class AddressRefused(Exception):
    """The address is one that nothing is sent to; the text says why."""


def checked_url(url: str) -> str:
    """What can be said of a URL before its name is resolved.

    :returns: the same URL in ASCII: the host in IDNA, the rest percent-encoded (RFC 3987, section
        3.1). That is what is stored, and what is sent to.
    :raises AddressRefused: where it is no plain HTTPS URL, or names a private address.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
        _check_parts(parts)
        host = _ascii_host(parts.hostname or "")
        path, query = iri_to_uri(parts.path), iri_to_uri(parts.query)
    except ValueError:  # UnicodeError is one, too
        raise AddressRefused(NO_URL) from None
    _check_host(host)
    netloc = f"[{host}]" if ":" in host else host
    if port is not None:
        netloc = f"{netloc}:{port}"
    return urlunsplit((parts.scheme, netloc, path, query, ""))


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host, all of them public.

    One private address among them refuses the host: which one answers is not ours to choose.

    :raises AddressRefused: where one is private.
    :raises OSError: where the name cannot be resolved.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    _check_addresses(host, addresses)
    return addresses


def _check_parts(parts: SplitResult) -> None:
    if parts.scheme != "https" and not (settings.WEBHOOK_ALLOW_PRIVATE and parts.scheme == "http"):
        raise AddressRefused("It must begin with https://.")
    if not parts.hostname:
        raise AddressRefused("It names no host.")
    if parts.username is not None or parts.password is not None:
        raise AddressRefused("It must have no user name and no password.")
    if parts.fragment:
        raise AddressRefused("It must have no fragment.")


def _ascii_host(host: str) -> str:
    """A host name as DNS has it.

    Python knows IDNA 2003 alone. Where IDNA 2008 reads a name differently (``faß.de`` became
    ``fass.de``, another host), the name does not survive the way there and back, and is refused.

    :raises UnicodeError: where it is no host name.
    """
    encoded = host.encode("idna").decode("ascii")
    if not host.isascii() and encoded.encode("ascii").decode("idna") != _composed(host):
        raise AddressRefused(NOT_ASCII)
    return encoded.lower()


def _composed(host: str) -> str:
    return unicodedata.normalize("NFC", host.lower())


def _check_host(host: str) -> None:
    if "%" in host:
        raise AddressRefused(
            "It must have no zone: that is an address of this machine's own links."
        )
    name = host.rstrip(".")
    literal = "127.0.0.1" if f".{name}".endswith(LOCAL) else name
    if _is_address(literal):
        _check_addresses(host, [literal])


def _check_addresses(host: str, addresses: list[str]) -> None:
    if settings.WEBHOOK_ALLOW_PRIVATE:
        return
    for text in addresses:
        if not is_public(ip_address(text)):
            raise AddressRefused(f"{host} is an address of a private network.")


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
