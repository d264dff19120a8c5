"""How many messages a text becomes on its way: an SMS carries 160 characters of GSM 03.38, or 70 of any other. Pure."""

from __future__ import annotations

from dataclasses import dataclass

_PLAIN = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_DOUBLE = frozenset("\f^{}\\[~]|€")  # two places each
GSM7, UCS2 = "GSM-7", "UCS-2"
_SINGLE = {GSM7: 160, UCS2: 70}
_OF_SEVERAL = {GSM7: 153, UCS2: 67}  # the rest says which part it is


@dataclass(frozen=True)
class Segments:
    """`units`: places that are used, of 7 or of 16 bits."""

    encoding: str
    units: int
    count: int


def segments(text: str) -> Segments:
    encoding = GSM7 if set(text) <= _PLAIN | _DOUBLE else UCS2
    places = [_places(character, encoding) for character in text]
    units = sum(places)
    if units <= _SINGLE[encoding]:
        return Segments(encoding, units, 1)
    count, left = 1, _OF_SEVERAL[encoding]
    for size in places:  # no character is cut in two
        if size > left:
            count, left = count + 1, _OF_SEVERAL[encoding]
        left -= size
    return Segments(encoding, units, count)


def _places(character: str, encoding: str) -> int:
    if encoding == GSM7:
        return 2 if character in _DOUBLE else 1
    return 2 if ord(character) > 0xFFFF else 1
