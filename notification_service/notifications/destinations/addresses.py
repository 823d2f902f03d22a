"""Which URLs and addresses webhooks may be sent to: public ones only.

Otherwise anyone who can register a URL could make this service send requests into its own network
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
"""Includes all names below it (RFC 6761, section 6.3)."""
NO_URL = "Enter a valid URL."
NOT_ASCII = "Systems resolve this host name differently. Enter it in its ASCII form, xn--…"


class AddressRefused(Exception):
    """Webhooks are not sent to this address; the message says why."""


def checked_url(url: str) -> str:
    """Check everything about a URL that can be checked before its host name is resolved.

    :returns: the URL in ASCII: its host in IDNA, the rest percent-encoded (RFC 3987, section 3.1).
        This form is stored and requested.
    :raises AddressRefused: if it is not a plain HTTPS URL, or names a private address.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
        _check_parts(parts)
        host = _ascii_host(parts.hostname or "")
        path, query = iri_to_uri(parts.path), iri_to_uri(parts.query)
    except ValueError:  # includes UnicodeError
        raise AddressRefused(NO_URL) from None
    _check_host(host)
    netloc = f"[{host}]" if ":" in host else host
    if port is not None:
        netloc = f"{netloc}:{port}"
    return urlunsplit((parts.scheme, netloc, path, query, ""))


def resolve(host: str, port: int) -> list[str]:
    """Resolve a host to its addresses, all of which are public.

    A single private address rejects the host, because the resolver decides which one is used.

    :raises AddressRefused: if one of them is private.
    :raises OSError: if the name cannot be resolved.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    _check_addresses(host, addresses)
    return addresses


def _check_parts(parts: SplitResult) -> None:
    if parts.scheme != "https" and not (settings.WEBHOOK_ALLOW_PRIVATE and parts.scheme == "http"):
        raise AddressRefused("The URL must start with https://.")
    if not parts.hostname:
        raise AddressRefused("The URL has no host.")
    if parts.username is not None or parts.password is not None:
        raise AddressRefused("The URL must not contain a user name or password.")
    if parts.fragment:
        raise AddressRefused("The URL must not contain a fragment (#…).")


def _ascii_host(host: str) -> str:
    """Encode a host name as it appears in DNS.

    Python implements IDNA 2003 only. A name that IDNA 2008 encodes differently (``faß.de`` becomes
    ``fass.de``, another host) does not survive the round trip, and is rejected.

    :raises UnicodeError: if it is not a valid host name.
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
            "The URL must not contain an IPv6 zone: such addresses are local to one machine."
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
            raise AddressRefused(f"{host} is an address in a private network.")


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
