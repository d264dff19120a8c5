"""The words of public pages and of footers, a file for each language, and which of them somebody reads."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from delivery.public.languages import ar, de, en, es, fr, it, ja, nl, pl, pt
from delivery.public.languages.words import PageWords

WORDINGS: Mapping[str, PageWords] = {
    module.__name__.rpartition(".")[2]: module.WORDS for module in (en, de, fr, es, it, nl, pt, pl, ja, ar)
}
DEFAULT = "en"
WORDING = "2026-11"  # kept with what somebody says by these words; raise it when they change
_LONGEST_HEADER = 500
_RANGE = re.compile(r"\s*([A-Za-z]{1,8})(?:[-_][A-Za-z0-9-_]+)?\s*(?:;\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*)?")


@dataclass(frozen=True)
class Language:
    """`code`: for `lang`; `direction`: for `dir`."""

    code: str
    words: PageWords

    @property
    def direction(self) -> str:
        return "rtl" if self.words.is_rtl else "ltr"


def language(locale: str, accepted: str = "") -> Language:
    """The one that somebody with this locale reads (de, de-AT, de_AT); else the first that their browser asks for
    (`accepted`: the Accept-Language header); else English. Pure."""
    wanted = [locale.strip().replace("_", "-").partition("-")[0].lower(), *_asked_for(accepted)]
    code = next((each for each in wanted if each in WORDINGS), DEFAULT)
    return Language(code, WORDINGS[code])


def _asked_for(header: str) -> Iterator[str]:
    ranges = [_RANGE.fullmatch(part) for part in header[:_LONGEST_HEADER].split(",")]
    weighed = [(float(found[2] or 1), found[1].lower()) for found in ranges if found]
    yield from (code for quality, code in sorted(weighed, key=lambda each: -each[0]) if quality > 0)
