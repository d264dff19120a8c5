"""What a company calls the stages. The keys never change: they stand in conditions, journeys and the log.

Words are read once in a request, however often they are shown, and afresh everywhere else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from asgiref.local import Local
from django.core.signals import request_finished, request_started
from django.db import connection

from contacts import audit, authority
from contacts.conditions import Problem
from scoring.models.lifecycle import STAGES
from scoring.rulesets.rules import BadRules

MAX_LABEL = 60
OURS: Mapping[str, str] = {
    "subscriber": "Subscriber",
    "lead": "Lead",
    "mql": "MQL",
    "sql": "SQL",
    "opportunity": "Opportunity",
    "customer": "Customer",
    "churned": "Churned",
}
NONE = "None"  # who never had a stage

_asked = Local()  # `.labels`: what this request has read; there is none outside a request


def label(stage: str) -> str:
    """What people call a stage; the key itself where there is no such stage, and a word for having none."""
    return labels().get(stage, stage or NONE)


def labels() -> Mapping[str, str]:
    """Every stage in its order, with what people call it. One statement a request."""
    known: dict[str, str] | None = getattr(_asked, "labels", None)
    if known:
        return known
    read = _read()
    if known is not None:
        _asked.labels = read
    return read


def rename(given: Mapping[str, str]) -> None:
    """Call these stages so, in the caller's transaction; an empty text is our own word again, and who is not named
    keeps theirs. Two statements, and one for the audit log. Raises BadRules, NotAllowed."""
    authority.require("scoring.change_stagelabel")
    problems = [Problem(f"labels.{stage}", "wrong_value", "no such stage") for stage in given if stage not in STAGES]
    words = {stage: word.strip() for stage, word in given.items()}
    for stage, word in words.items():
        if len(word) > MAX_LABEL or not word.isprintable():
            message = f"expected at most {MAX_LABEL} printable characters"
            problems.append(Problem(f"labels.{stage}", "wrong_value", message))
    wanted = {**labels(), **{stage: word or OURS[stage] for stage, word in words.items() if stage in STAGES}}
    for stage in STAGES:
        twins = [other for other in STAGES if other != stage and wanted[other].casefold() == wanted[stage].casefold()]
        if twins and stage in words:
            problems.append(Problem(f"labels.{stage}", "wrong_value", f"the stage {twins[0]} is called so already"))
    if problems:
        raise BadRules(problems)
    own = {stage: word for stage, word in words.items() if word and word != OURS[stage]}
    before, after = audit.changed(dict(labels()), wanted)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM lifecycle_stage_labels WHERE stage = ANY(%s)", [sorted(words.keys() - own.keys())])
        cursor.execute(
            "INSERT INTO lifecycle_stage_labels (stage, label) SELECT * FROM unnest(%s::text[], %s::text[])"
            " ON CONFLICT (stage) DO UPDATE SET label = EXCLUDED.label",
            [list(own), list(own.values())],
        )
    if after:
        audit.note("stage_labels.changed", of=("stage_labels", "all"), before=before, after=after)
    _forget()


def _read() -> dict[str, str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT stage, label FROM lifecycle_stage_labels")
        return {**OURS, **dict(cursor.fetchall())}


def _begin(**_: Any) -> None:
    _asked.labels = {}


def _end(**_: Any) -> None:
    if hasattr(_asked, "labels"):
        del _asked.labels


def _forget() -> None:
    if hasattr(_asked, "labels"):
        _asked.labels = {}


request_started.connect(_begin, dispatch_uid="stage labels are read once in a request")
request_finished.connect(_end, dispatch_uid="stage labels are read afresh outside requests")
