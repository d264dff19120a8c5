"""How the house looks to those who get its messages: its name, its colour, its picture, and where it lives.

Settings: BRAND_NAME (empty: EMAIL_FROM_NAME), BRAND_COLOR (#rrggbb; empty: our plain colours), BRAND_LOGO_URL,
POSTAL_ADDRESS. Public pages and the footers of marketing mail read them here; a colour that cannot be read is none."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest

_COLOR = re.compile(r"#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})")
BLACK, WHITE = "#000000", "#ffffff"


@dataclass(frozen=True)
class Brand:
    """`color` and `on_color` (text that can be read on it) are #rrggbb, or both empty. `postal_address`: one line."""

    name: str
    color: str
    on_color: str
    logo_url: str
    postal_address: str


def brand() -> Brand:
    color = color_of(settings.BRAND_COLOR) or ""
    return Brand(
        name=" ".join((settings.BRAND_NAME or settings.EMAIL_FROM_NAME).split()),
        color=color,
        on_color=readable_on(color) if color else "",
        logo_url=settings.BRAND_LOGO_URL if is_picture(settings.BRAND_LOGO_URL) else "",
        postal_address=postal_address(),
    )


def postal_address() -> str:
    """In one line, whatever its lines are in the setting."""
    return ", ".join(
        " ".join(line.split()).rstrip(",") for line in settings.POSTAL_ADDRESS.splitlines() if line.strip()
    )


def on_pages(request: HttpRequest) -> Mapping[str, Any]:
    """For Django's templates: `brand`, worked out by the pages that show it."""
    return {"brand": brand}


def color_of(text: str) -> str | None:
    """As #rrggbb in small letters, or None. Pure."""
    found = _COLOR.fullmatch(text.strip())
    if found is None:
        return None
    digits = found[1].lower()
    return "#" + ("".join(digit * 2 for digit in digits) if len(digits) == 3 else digits)


def contrast(one: str, other: str) -> float:
    """WCAG 2's ratio of two colours (#rrggbb), from 1 to 21. Pure."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def readable_on(color: str) -> str:
    """Black or white, whichever can be read better on it: at least 4.5 to 1 on any colour. Pure."""
    return max((WHITE, BLACK), key=lambda text: contrast(color, text))


def _luminance(color: str) -> float:
    shares = (int(color[at : at + 2], 16) / 255 for at in (1, 3, 5))
    linear = (share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares)
    return sum(part * weight for part, weight in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))


def is_picture(url: str) -> bool:
    """Whether pages may load it: https, with nothing in it that ends a header or a policy. Pure."""
    if not url.isascii() or not url.isprintable() or any(character in url for character in " ;,'\"<>\\"):
        return False
    try:
        parts = urlsplit(url)
        return parts.scheme == "https" and bool(parts.hostname)
    except ValueError:
        return False
