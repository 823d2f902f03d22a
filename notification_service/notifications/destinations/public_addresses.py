"""Address ranges that are not part of the public internet, and ranges that embed other addresses.

These are all entries of the IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890,
RFC 8190), including those that are globally reachable: they identify services, not web servers.
Multicast has registries of its own. The ranges are listed here because Python's ``is_global``
reflects the registries at the time of the Python release.

https://www.iana.org/assignments/iana-ipv4-special-registry/
https://www.iana.org/assignments/iana-ipv6-special-registry/
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

IPV4_SPECIAL = {
    IPv4Network("0.0.0.0/8"): "RFC 791, this network",
    IPv4Network("10.0.0.0/8"): "RFC 1918, private use",
    IPv4Network("100.64.0.0/10"): "RFC 6598, shared address space",
    IPv4Network("127.0.0.0/8"): "RFC 1122, loopback",
    IPv4Network("169.254.0.0/16"): "RFC 3927, link-local",
    IPv4Network("172.16.0.0/12"): "RFC 1918, private use",
    IPv4Network("192.0.0.0/24"): "RFC 6890, IETF protocol assignments",
    IPv4Network("192.0.2.0/24"): "RFC 5737, documentation",
    IPv4Network("192.31.196.0/24"): "RFC 7535, AS112",
    IPv4Network("192.52.193.0/24"): "RFC 7450, AMT",
    IPv4Network("192.88.99.0/24"): "RFC 7526, 6to4 relays, and RFC 6751, 6a44 relays",
    IPv4Network("192.168.0.0/16"): "RFC 1918, private use",
    IPv4Network("192.175.48.0/24"): "RFC 7534, AS112",
    IPv4Network("198.18.0.0/15"): "RFC 2544, benchmarking",
    IPv4Network("198.51.100.0/24"): "RFC 5737, documentation",
    IPv4Network("203.0.113.0/24"): "RFC 5737, documentation",
    IPv4Network("224.0.0.0/4"): "RFC 5771, multicast",
    IPv4Network("240.0.0.0/4"): "RFC 1112, reserved, and RFC 919, limited broadcast",
}
IPV6_UNICAST = IPv6Network("2000::/3")
"""The range that IANA allocates global unicast addresses from (RFC 4291, section 2.4)."""

IPV6_SPECIAL = {
    IPv6Network("2001::/23"): "RFC 2928, IETF protocol assignments, RFC 4380's Teredo among them",
    IPv6Network("2001:db8::/32"): "RFC 3849, documentation",
    IPv6Network("2002::/16"): "RFC 3056, 6to4",
    IPv6Network("2620:4f:8000::/48"): "RFC 7534, AS112",
    IPv6Network("3fff::/20"): "RFC 9637, documentation",
}
"""Those within :data:`IPV6_UNICAST`. Addresses outside of it are not public anyway."""

IPV6_OF_IPV4 = {
    IPv6Network("::ffff:0:0/96"): "RFC 4291, IPv4-mapped: the system connects by IPv4",
    IPv6Network("64:ff9b::/96"): "RFC 6052, NAT64: a translator connects by IPv4",
}
"""The last four bytes are the IPv4 address that is actually reached."""


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address, and any address embedded in it, is on the public internet."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in IPV4_SPECIAL)
    if any(address in network for network in IPV6_OF_IPV4):
        return is_public(IPv4Address(int(address) & 0xFFFF_FFFF))
    if address.scope_id is not None or address not in IPV6_UNICAST:
        return False
    return not any(address in network for network in IPV6_SPECIAL)
