"""The sample journeys: files that hold a definition, what it needs, and cases that prove it. Whoever uses one gets a
draft of their own, under a slug that nobody has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, partial
from itertools import count
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils.text import slugify

from contacts.audiences import lists, segments
from contacts.authority import NotAllowed
from delivery.authoring import templates
from workflows.definition import reading
from workflows.definition.sentences import mapping, trigger_sentence
from workflows.models import Workflow

FOLDER = Path(__file__).resolve().parent / "samples"
LONGEST_SLUG = 100
# as they stand in the gallery: those that most people begin with come first
ORDER = (
    "welcome-series", "trial-onboarding", "mql-hand-off", "abandoned-cart", "win-back", "webinar-follow-up",
    "welcome-now-or-later", "re-permission",
)  # fmt: skip


@dataclass(frozen=True)
class Sample:
    """`starts`: a sentence. `needs`: what is made with it, in words, such as `4 templates`."""

    key: str
    name: str
    category: str
    description: str
    starts: str
    steps: int
    needs: tuple[str, ...]
    definition: Mapping[str, Any]


def samples() -> list[Sample]:
    """Those of ORDER first, then the others by their files."""
    keys = sorted(path.stem for path in FOLDER.glob("*.yaml"))
    return [_sample(key) for key in (*ORDER, *(key for key in keys if key not in ORDER))]


def find(key: str) -> Sample | None:
    return next((each for each in samples() if each.key == key), None)


def document_of(key: str) -> dict[str, Any]:
    """The file, for a journey of one's own: under a free slug, which its conditions and cases know, and without the
    templates that are there already. Raises LookupError."""
    if find(key) is None:
        raise LookupError(f"there is no sample {key!r}")
    document = dict(_read(key))
    before = str(document["workflow"]["slug"])
    renamed: dict[str, Any] = _called(document, before, free_slug(before))
    rows = renamed.get("templates") or []
    there = templates.live_version_ids([row["slug"] for row in rows])
    return {**renamed, "templates": [row for row in rows if row["slug"] not in there]}


def furnish(document: Mapping[str, Any], *, now: datetime) -> list[str]:
    """Make the lists and segments of a file that are not there yet, in the caller's transaction. Returns what the actor
    may not make, in words."""
    left_out: list[str] = []
    for slug in sorted(lists.unknown(set(document.get("lists") or ()))):
        if not _made(partial(lists.create, slug=slug, name=_title(slug), now=now)):
            left_out.append(f"the list “{slug}”")
    rows = document.get("segments") or ()
    new = segments.unknown([row["slug"] for row in rows])
    for row in (row for row in rows if row["slug"] in new):
        about = {"slug": row["slug"], "name": str(row.get("name") or row["slug"]), "condition": row["condition"]}
        if not _made(partial(segments.create, **about, now=now)):
            left_out.append(f"the segment “{row['slug']}”")
    return left_out


def free_slug(name: str) -> str:
    """`welcome-series`, then `welcome-series-2`: one that no journey has."""
    stem = slugify(name)[: LONGEST_SLUG - 6].strip("-_").replace("_", "-") or "journey"
    taken = set(Workflow.objects.filter(slug__startswith=stem).values_list("slug", flat=True))
    return next(slug for number in count(1) if (slug := stem if number == 1 else f"{stem}-{number}") not in taken)


def _made(make: Callable[[], int]) -> bool:
    try:
        with transaction.atomic():
            make()
    except NotAllowed:
        return False
    return True


@lru_cache(maxsize=64)
def _read(key: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = reading.read((FOLDER / f"{key}.yaml").read_text(encoding="utf-8"))
    return found


def _sample(key: str) -> Sample:
    document = _read(key)
    definition = mapping(document["workflow"])
    needed = [(what, len(document.get(f"{what}s") or ())) for what in ("template", "segment", "list")]
    return Sample(
        key=key,
        name=str(definition["name"]),
        category=str(document["category"]),
        description=str(document["description"]),
        starts=trigger_sentence(mapping(definition["entry"]).get("trigger")),
        steps=len(definition["steps"]),
        needs=tuple(f"{number} {what}{'s' * (number > 1)}" for what, number in needed if number),
        definition=definition,
    )


def _called(tree: Any, before: str, now: str) -> Any:
    """The same, where a journey of that slug is called otherwise."""
    if isinstance(tree, Mapping):
        return {
            key: now if key in ("slug", "workflow") and inside == before else _called(inside, before, now)
            for key, inside in tree.items()
        }
    return [_called(inside, before, now) for inside in tree] if isinstance(tree, list) else tree


def _title(slug: str) -> str:
    return slug.replace("-", " ").capitalize()
