"""Who sends: the address that a limit is kept for, and programs that visit pages without being visitors."""

from __future__ import annotations

import re
from ipaddress import IPv6Address, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest

# A browser without a window (HeadlessChrome) is no bot by itself: whoever tests a shop uses one.
_BOT = re.compile(
    r"(?<!cu)bot\b|bot[/;_-]|crawl|spider|slurp|bingpreview|mediapartners|facebookexternalhit|embedly|outbrain"
    r"|pinterest/0|vkshare|w3c_validator|lighthouse|pagespeed|pingdom|gtmetrix|uptime|statuscake|site24x7"
    r"|ahrefs|semrush|archive\.org|wget|scrapy|phantomjs",
    re.IGNORECASE,
)
_LONGEST_AGENT = 1000


def address(request: HttpRequest) -> str:
    """The client's network address, an IPv6 one as its /64 (one household has them all). What a proxy says counts only
    behind one of ours, and of that only what it added itself: the last entry. Empty where nobody can tell."""
    said = request.META.get("REMOTE_ADDR", "")
    if settings.BEHIND_PROXY:
        said = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip() or said
    try:
        found = ip_address(said)
    except ValueError:
        return ""
    if isinstance(found, IPv6Address):
        return str(found.ipv4_mapped or ip_network((found, 64), strict=False).network_address)
    return str(found)


def is_bot(user_agent: str) -> bool:
    """Whether it says so itself. Pure."""
    return _BOT.search(user_agent[:_LONGEST_AGENT]) is not None
