"""Which of a template's languages a contact reads. Pure.

A tag is language[-Script][-REGION]…, as BCP 47 has it: `de`, `zh-Hant-TW`, `pt-BR`."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

LONGEST = 35
_TAG = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8}){0,4}", re.ASCII)
# Two names of one language, and the script that a region writes Chinese in where the tag does not say it.
_SAME: Mapping[str, str] = {"iw": "he", "in": "id", "ji": "yi", "no": "nb"}
_SCRIPTS: Mapping[str, str] = {"zh-TW": "Hant", "zh-HK": "Hant", "zh-MO": "Hant", "zh-CN": "Hans", "zh-SG": "Hans"}


def canonical(locale: str) -> str:
    """The tag as it is stored: `ZH_hant-tw` is zh-Hant-TW; empty for what is no tag. What a system adds after a dot or
    an @ (`de_DE.UTF-8`) is left out."""
    told = re.split(r"[.@]", locale.strip(), maxsplit=1)[0].replace("_", "-")
    if len(told) > LONGEST or not _TAG.fullmatch(told):
        return ""
    language, *rest = told.split("-")
    parts = [_SAME.get(language.lower(), language.lower())]
    for part in rest:
        if len(part) == 4 and part.isalpha():
            parts.append(part.title())
        else:
            parts.append(part.upper() if len(part) in (2, 3) and not part.isdigit() else part.lower())
    return "-".join(parts)


def pick(contact_locale: str, available: Collection[str]) -> str:
    """Which of `available` (canonical tags) is for somebody with that locale; empty: none, the template's own words.

    zh-Hant-TW takes zh-Hant-TW, else zh-Hant, else zh-TW, else zh; never a sibling such as zh-Hans."""
    if not available:
        return ""
    wanted = canonical(contact_locale)
    return next((tag for tag in _chain(wanted) if tag in available), "") if wanted else ""


def _chain(tag: str) -> list[str]:
    """What serves, the best first."""
    parts = tag.split("-")
    script = next((part for part in parts[1:] if len(part) == 4 and part.isalpha()), "")
    region = next((part for part in parts[1:] if (len(part) == 2 and part.isalpha()) or part.isdigit()), "")
    meant = script or _SCRIPTS.get(f"{parts[0]}-{region}", "")
    chain = ["-".join(parts[:count]) for count in range(len(parts), 1, -1)]
    if meant:
        chain += [f"{parts[0]}-{meant}-{region}"] if region else []
        chain.append(f"{parts[0]}-{meant}")
    if region:
        chain.append(f"{parts[0]}-{region}")
    chain.append(parts[0])
    return list(dict.fromkeys(chain))
