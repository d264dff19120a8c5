"""Links and pictures of our own, for providers that do not say who opened and clicked.

A link of the mail becomes PUBLIC_URL/c/<token>, and the token carries where it leads to, signed: what we did not write
leads nowhere, so nobody can use our name for a way to somewhere else. It also names the message and the key, so keys
can be replaced (SECRET_KEY_FALLBACKS) without breaking the links of mails that were sent before. Letters, digits, `-`
and `_` only: mail programs and proxies that encode URLs leave it as it is.

What is rewritten: http and https links of the HTML part to hosts that the template's author wrote down. A host that
only a contact's data names is left as it is: whoever may set an attribute could sign a way to anywhere with our name.
Not the ways to unsubscribe, to the preferences and to a confirmation, nothing else than http and https, no link that
would become too long, and not the text part, where people read the addresses themselves. LINK_CANARY adds a link that
nobody sees, which only machines follow."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from html import unescape
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.utils.encoding import iri_to_uri

from contacts import consent
from delivery.authoring import tags
from delivery.authoring.rendering import Rendered

LONGEST = 1900  # characters of a link with its token; some programs cut at 2,000
LONGEST_TARGET = 2000  # and of where it leads, as it stands in a header
_KEY_BYTES, _SIGNATURE_BYTES = 2, 16
_LINK, _PICTURE = b"carillon.link:", b"carillon.open:"
_PLAIN, _PACKED, _CANARY = 0, 1, 2  # how the rest of a link's token is to be read
_OUR_OWN = ("/u/", "/preferences/", "/confirm/", "/c/", "/o/")

# Each run of characters can be read in one way only, so a hostile page costs no more than its length.
_ANCHOR = re.compile(r"""<(?:a|area)\s(?:[^<>"']|"[^"]*"|'[^']*')*+>""", re.IGNORECASE)
_HREF = re.compile(r"""(\shref\s*=\s*)("[^"]*"|'[^']*'|[^\s"'>]+)""", re.IGNORECASE)
_TAG = "\0"  # stands for a tag of Mustache: what touches it may go on with anything
_WRITTEN = re.compile(r"""\bhttps?://([^\s"'<>/?#\\{}@\0]+)(?=[\s"'<>/?#]|$)""", re.IGNORECASE)
_BODY_CLOSES = re.compile(r"</body\s*>", re.IGNORECASE)
_UNSAFE = re.compile(r"[\x00-\x20\x7f-\xa0\\<>\"`{}|^\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True)
class Link:
    """What a token says. `url`: where it leads; empty for the link that nobody sees."""

    mid: str
    url: str

    @property
    def is_canary(self) -> bool:
        return not self.url


def denied(contact_ids: Sequence[int]) -> set[int]:
    """Of these, who said that they are not to be tracked. One statement."""
    return {contact_id for contact_id, state in consent.tracking_state(contact_ids).items() if state == "denied"}


@lru_cache(maxsize=512)
def hosts(html: str) -> frozenset[str]:
    """The hosts (with their ports) of a template's web addresses, those that no value can be a part of."""
    pieces, at = [], 0
    for tag in tags.scan(html):
        pieces.append(html[at : tag.start])
        at = tag.end
    return frozenset(host.lower() for host in _WRITTEN.findall(_TAG.join([*pieces, html[at:]])))


def tracked(rendered: Rendered, *, mid: str, hosts: frozenset[str]) -> Rendered:
    """The same mail with links of ours to these `hosts`, and with our picture at its end. Without HTML it stays as it
    is. Pure, but for the keys in the settings."""
    if not rendered.html:
        return rendered
    named = UUID(mid).bytes
    html = _ANCHOR.sub(
        lambda anchor: _HREF.sub(lambda href: _rewritten(href, named, hosts), anchor[0], count=1), rendered.html
    )
    ending = f'<img src="{picture_url(mid)}" width="1" height="1" alt="" style="display:block;border:0">'
    if settings.LINK_CANARY:
        ending = f'<a href="{_url(named, "")}" tabindex="-1" aria-hidden="true" style="display:none"></a>{ending}'
    return replace(rendered, html=_before_the_end(html, ending))


def _rewritten(href: re.Match[str], named: bytes, hosts: frozenset[str]) -> str:
    given = href[2]
    target = unescape(given[1:-1] if given[0] in "\"'" else given).strip()
    url = _url(named, target) if leads_away(target) and urlsplit(target).netloc.lower() in hosts else ""
    return f'{href[1]}"{url}"' if url and len(url) <= LONGEST else href[0]


def leads_away(target: str) -> bool:
    """Whether it is a link that we rewrite and follow: http or https, a host, nothing that a browser might read
    otherwise than we do, and none of the pages that must never be stood in front of."""
    if len(target) > LONGEST_TARGET or _UNSAFE.search(target) or len(iri_to_uri(target)) > LONGEST_TARGET:
        return False
    try:
        parts = urlsplit(target)
        if parts.scheme.lower() not in ("http", "https") or not parts.hostname or (parts.port or 1) < 1:
            return False
    except ValueError:
        return False
    return not target.startswith(tuple(settings.PUBLIC_URL + path for path in _OUR_OWN))


def _before_the_end(html: str, piece: str) -> str:
    found = list(_BODY_CLOSES.finditer(html))
    at = found[-1].start() if found else len(html)
    return html[:at] + piece + html[at:]


def picture_url(mid: str) -> str:
    """The picture that says that a message was opened."""
    return f"{settings.PUBLIC_URL}/o/{_signed(_PICTURE, UUID(mid).bytes)}.gif"


def _url(named: bytes, target: str) -> str:
    plain = target.encode()
    packed = zlib.compress(plain, 9) if len(plain) > 100 else plain
    how, rest = (_PACKED, packed) if len(packed) < len(plain) else (_PLAIN if plain else _CANARY, plain)
    return f"{settings.PUBLIC_URL}/c/{_signed(_LINK, named + bytes([how]) + rest)}"


def link(token: str) -> Link | None:
    """What the token of a link says, None when we did not make it."""
    told = _told(_LINK, token)
    if told is None or len(told) < 17:
        return None
    named, how, rest = told[:16], told[16], told[17:]
    url = (zlib.decompress(rest) if how == _PACKED else rest).decode()
    return Link(str(UUID(bytes=named)), url) if how == _CANARY or leads_away(url) else None


def opened(token: str) -> str | None:
    """The id of the message whose picture this is, None when we did not make it."""
    told = _told(_PICTURE, token)
    return str(UUID(bytes=told)) if told is not None and len(told) == 16 else None


def _signed(purpose: bytes, told: bytes) -> str:
    number, key = _keys(settings.SECRET_KEY)[0]
    signature = hmac.digest(key, purpose + told, "sha256")[:_SIGNATURE_BYTES]
    return base64.urlsafe_b64encode(number + signature + told).decode("ascii").rstrip("=")


def _told(purpose: bytes, token: str) -> bytes | None:
    """What was signed. Some programs take the full stop or bracket behind a link for a part of it."""
    token = token.rstrip(".,;:!?)>]}'\"*/ ")
    try:
        whole = base64.urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
    except (binascii.Error, ValueError):
        return None
    number, rest = whole[:_KEY_BYTES], whole[_KEY_BYTES:]
    signature, told = rest[:_SIGNATURE_BYTES], rest[_SIGNATURE_BYTES:]
    for known, key in _keys(settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        expected = hmac.digest(key, purpose + told, "sha256")[:_SIGNATURE_BYTES]
        if known == number and hmac.compare_digest(signature, expected):
            return told
    return None


@lru_cache(maxsize=8)
def _keys(*given: str) -> tuple[tuple[bytes, bytes], ...]:
    """Each key with its number, which says nothing about it."""
    made = [hmac.digest(key.encode(), b"carillon.links", "sha256") for key in given]
    return tuple((hashlib.sha256(key).digest()[:_KEY_BYTES], key) for key in made)
