"""Where requests may go. Pure, but for the settings.

An address that somebody typed into a journey must not lead into our own network: names are looked up once, every
address found must be one of the public internet, and the connection goes to exactly the address that was looked at
(`calls`), so a name cannot answer otherwise a moment later. WEBHOOK_ALLOWED_HOSTS names what is trusted all the same:
host names, addresses or networks of one's own, also over http and on any port."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

LONGEST_URL = 2048
PORTS = {"https": 443, "http": 80}
ALLOWED_PORTS = frozenset({443, 8443})  # of those that are not named in the settings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Blocks that is_global does not know of as ways into other networks: what is embedded in these is looked at instead.
_NAT64 = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))
_V4_COMPATIBLE = ipaddress.ip_network("::/96")
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")  # what some systems take for an address, in one part or several
_NEVER = tuple(
    ipaddress.ip_network(block)
    for block in ("0.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "192.88.99.0/24", "fec0::/10", "168.63.129.16/32")
)


class BadTarget(ValueError):
    """No request may go there. `code` is a word for logs and journals, the message is for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Target:
    """A URL that may be asked, if its host turns out to be where hosts may be."""

    url: str
    scheme: str
    host: str
    port: int


def check(url: str) -> Target:
    """What can be told from the words alone. Raises BadTarget."""
    if len(url) > LONGEST_URL:
        raise BadTarget("bad_url", f"a URL has at most {LONGEST_URL} characters")
    if any(not character.isprintable() or character in ' \\"<>^`{|}' for character in url):
        raise BadTarget("bad_url", "a URL has no spaces, control characters, backslashes or braces")
    parts, host, port = _split(url)
    if parts.scheme not in PORTS or not host:
        raise BadTarget("bad_url", "a URL begins with https:// and the name of a host")
    if parts.username is not None or parts.password is not None:
        raise BadTarget("bad_url", "a URL holds no user name or password")
    if _literal(host) is None and _NUMBER.fullmatch(host.rpartition(".")[2]):
        raise BadTarget("bad_url", "an address is written as 192.0.2.1, in four decimal numbers")
    target = Target(url, parts.scheme, host, port or PORTS[parts.scheme])
    literal = _literal(host)
    if is_allowed(host) or (literal is not None and _in_allowed_network(literal)):
        return target
    if target.scheme != "https":
        raise BadTarget("not_https", f"only https; {host} may be asked over http if WEBHOOK_ALLOWED_HOSTS names it")
    if target.port not in ALLOWED_PORTS:
        raise BadTarget("bad_port", f"port {target.port} is not allowed; WEBHOOK_ALLOWED_HOSTS may name the host")
    if literal is not None and not is_public(literal):
        raise BadTarget("private_address", f"{host} is no address of the public internet")
    if host == "localhost" or host.endswith((".localhost", ".local", ".internal")):
        raise BadTarget("private_address", f"{host} is no host of the public internet")
    return target


def vetted(host: str, addresses: Collection[str]) -> list[str]:
    """The addresses that `host` has, if it may be asked: one that is not public spoils them all. Raises BadTarget."""
    found = [_address(address) for address in addresses]
    if not found or any(address is None for address in found):
        raise BadTarget("unknown_host", f"{host} has no address")
    if not is_allowed(host):
        for address in found:
            if address is not None and not is_public(address) and not _in_allowed_network(address):
                raise BadTarget("private_address", f"{host} is no host of the public internet")
    return list(addresses)


def is_allowed(host: str) -> bool:
    """Whether the settings name this very host."""
    return host.lower().rstrip(".") in {word.lower().strip("[]") for word in settings.WEBHOOK_ALLOWED_HOSTS}


def is_public(address: Address) -> bool:
    """Whether it is somebody else's, on the public internet; what leads to another address counts as that one."""
    if isinstance(address, ipaddress.IPv6Address):
        inside = _embedded(address)
        if inside is not None:
            return is_public(inside)
    if any(address in block for block in _NEVER if block.version == address.version):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def _embedded(address: ipaddress.IPv6Address) -> Address | None:
    """The IPv4 address that an IPv6 address stands for: mapped, compatible, 6to4, Teredo, NAT64."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if any(address in block for block in _NAT64) or (address in _V4_COMPATIBLE and int(address) > 1):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None


def _split(url: str) -> tuple[SplitResult, str, int | None]:
    try:
        parts = urlsplit(url)
        return parts, (parts.hostname or "").rstrip("."), parts.port
    except ValueError as error:
        raise BadTarget("bad_url", "this cannot be read as a URL") from error


def _literal(host: str) -> Address | None:
    return _address(host)


def _address(text: str) -> Address | None:
    try:
        return ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None


def _in_allowed_network(address: Address) -> bool:
    for word in settings.WEBHOOK_ALLOWED_HOSTS:
        try:
            network = ipaddress.ip_network(word.strip("[]"), strict=False)
        except ValueError:
            continue
        if network.version == address.version and address in network:
            return True
    return False
