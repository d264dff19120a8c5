"""Whether an open or a click was a person's. Pure.

Mail programs fetch pictures before anybody looks, and scanners follow every link. Each hit is judged by itself and by
what was known before it (who asked, how, and how long after the message was claimed), never by other hits: so the
verdict is the same whatever comes in which order, and it never has to be taken back. A verdict carries its sign and
the evidence for it. A proxy that loads a picture when somebody opens the mail (Google's, Yahoo's) is no machine: it
asks for a person."""

from __future__ import annotations

import re
from dataclasses import dataclass

# signs, the strongest first
REPORTED = "reported"  # the provider says so
CANARY = "canary"  # it followed the link that no person can see
METHOD = "method"  # HEAD: it looked whether the page is there
PREFETCH = "prefetch"  # it says that it fetches ahead
SCANNER = "scanner"  # it names itself: a scanner of mail, a crawler, a preview
PROGRAM = "program"  # it is no browser and no mail program
MAIL_PRIVACY = "mail_privacy"  # Apple's Mail Privacy Protection, which fetches every picture
DISGUISE = "disguise"  # it calls itself a browser and does not behave like one
TOO_SOON = "too_soon"  # nobody has read a mail so soon after it left here

TOO_SOON_SECONDS = 2.0

_SCANNERS = re.compile(
    r"safelinks|microsoft office existence|barracuda|proofpoint|urldefense|mimecast|trend ?micro|symantec|fireeye"
    r"|trellix|cloudmark|forcepoint|sophos|zscaler|ironport|cisco-?(?:esa|talos)|bitdefender|kaspersky|f-secure"
    r"|checkpoint|mailguard|vade|hornetsecurity|fortinet|fortiguard|appriver|virustotal|google-safety|url ?scan"
    r"|link ?(?:check|scan|validat)|preview|externalhit|slack-imgproxy|whatsapp|headless|phantomjs|puppeteer|playwright"
    r"|(?:bot|crawler|spider|scanner)\b",
    re.IGNORECASE,
)
_PROGRAMS = re.compile(
    r"^(?:curl|wget|python|aiohttp|httpx|go-http-client|java|jakarta|apache-httpclient|okhttp|libwww|lwp|ruby|php"
    r"|guzzle|node|axios|undici|got|postman|powershell|winhttp|scrapy|perl|dart|rust|reqwest)\b",
    re.IGNORECASE,
)
_PROXIES = re.compile(r"GoogleImageProxy|YahooMailProxy", re.IGNORECASE)
_APPLE = "Mozilla/5.0"  # all that Apple's proxies say of themselves
_BROWSER = re.compile(r"\b(?:Chrome|Firefox)/(\d+)|\bVersion/(\d+)[.\d]* (?:Mobile/\w+ )?Safari/")
_SPEAKS_SEC_FETCH = 90  # Chrome 76 and Firefox 90 do; Safari since 16.4
_SAFARI_SPEAKS = 17


@dataclass(frozen=True)
class Hit:
    """An open or a click. `reported`: what the provider says of it, None where it says nothing. `purpose`: the values
    of Purpose, X-Purpose, X-Moz and Sec-Purpose. `has_sec_fetch`: whether the browser told how it came here, None
    where that cannot be known. `is_link`: a click."""

    agent: str = ""
    is_link: bool = False
    reported: bool | None = None
    method: str = "GET"
    purpose: str = ""
    has_sec_fetch: bool | None = None
    is_canary: bool = False


@dataclass(frozen=True)
class Machine:
    """Why it was no person: one of the signs, and what was seen."""

    sign: str
    evidence: str

    @property
    def detail(self) -> dict[str, str]:
        return {"sign": self.sign, "evidence": self.evidence[:200]}


def machine(hit: Hit) -> Machine | None:
    """The strongest sign of a machine, None for a person as far as one can tell."""
    if hit.reported:
        return Machine(REPORTED, "the provider says so")
    if hit.is_canary:
        return Machine(CANARY, "it followed the hidden link")
    if hit.method != "GET":
        return Machine(METHOD, hit.method)
    if re.search(r"prefetch|preview|prerender", hit.purpose, re.IGNORECASE):
        return Machine(PREFETCH, hit.purpose)
    if _PROXIES.search(hit.agent):
        return None
    if _SCANNERS.search(hit.agent):
        return Machine(SCANNER, hit.agent)
    if _PROGRAMS.search(hit.agent):
        return Machine(PROGRAM, hit.agent)
    if hit.agent == _APPLE and hit.reported is None:
        return Machine(DISGUISE if hit.is_link else MAIL_PRIVACY, hit.agent)
    if hit.is_link and hit.has_sec_fetch is False and _should_tell(hit.agent):
        return Machine(DISGUISE, f"no Sec-Fetch-Mode: {hit.agent}")
    return None


def too_soon(seconds: float | None) -> Machine | None:
    """Of a click whose instant is our own: `seconds` after the claim of its message. Before it, clocks disagree, and
    that is no sign of anything."""
    if seconds is None or not 0 <= seconds < TOO_SOON_SECONDS:
        return None
    return Machine(TOO_SOON, f"{seconds:.3f} s after the message was claimed")


def _should_tell(agent: str) -> bool:
    found = _BROWSER.search(agent)
    if found is None:
        return False
    others, safari = found.groups()
    return int(others) >= _SPEAKS_SEC_FETCH if others else int(safari) >= _SAFARI_SPEAKS
