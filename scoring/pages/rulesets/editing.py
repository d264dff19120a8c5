"""What the editor of a draft asks of the server, in JSON: what its rules say and do, its saving and its activation.
What cannot be read is answered with 400 and its places."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.db.models import Q
from django.http import HttpRequest, JsonResponse
from django.urls import reverse

from contacts import transactions
from contacts.conditions import Problem
from contacts.models import Contact
from contacts.pages.condition_editor import NotReadable, read
from contacts.pages.contacts import contact_ids_of, full_name
from scoring.models import Ruleset
from scoring.pages.rulesets import showing
from scoring.projection import explanation
from scoring.rulesets import curves, diff, effects, versions, wording
from scoring.rulesets.parsing import parse_ruleset
from scoring.rulesets.rules import BadRules, Written

FOUND = 8  # contacts that a search shows
MOST_CONTACTS = 20  # whose scores the editor may ask for at once
LARGEST_ID = 10**18


class Unanswerable(Exception):
    """What was asked makes no sense; the problems say where."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(problems[0].message)
        self.problems = problems


def answering(view: Callable[..., JsonResponse]) -> Callable[..., JsonResponse]:
    """A view whose Unanswerable, NotReadable and BadRules become a 400."""

    def answer(*args: Any, **kwargs: Any) -> JsonResponse:
        try:
            return view(*args, **kwargs)
        except NotReadable as error:
            return _refused([Problem("", "unreadable", str(error))])
        except (BadRules, Unanswerable) as error:
            return _refused(error.problems)

    return answer


def _refused(problems: Sequence[Problem]) -> JsonResponse:
    return JsonResponse({"problem": problems[0].message, "problems": [asdict(each) for each in problems]}, status=400)


def _asked(request: HttpRequest) -> dict[str, Any]:
    body = read(request.body)
    if not isinstance(body, dict):
        raise NotReadable("Expected an object.")
    return body


def _written(body: dict[str, Any], draft: Ruleset) -> Written:
    raw = body.get("draft")
    return parse_ruleset({**raw, "name": draft.name} if isinstance(raw, dict) else raw)


# -- while somebody writes --------------------------------------------------------------------------------------------


@answering
def check(request: HttpRequest, draft: Ruleset, *, may_see_contacts: bool) -> JsonResponse:
    """{problems, rules: [{sentence, notes, points, curve}], saved: {edits, by}, effect}: what the rules in the body
    say, each as far as it can be read, what is wrong with them, and, when nothing is, their effect on the contacts
    whose ids are sent (on some that tell something, where none are)."""
    body = _asked(request)
    raw = body.get("draft")
    rules = raw.get("rules") if isinstance(raw, dict) else None
    answer: dict[str, Any] = {
        "problems": [],
        "rules": [_said(rule) for rule in rules] if isinstance(rules, list) else [],
        "saved": {"edits": draft.edits, "by": draft.created_by, "state": draft.state},
        "effect": None,
    }
    try:
        written = _written(body, draft)
    except BadRules as error:
        answer["problems"] = [asdict(each) for each in error.problems]
        return JsonResponse(answer)
    if may_see_contacts:
        chosen = _ids(body)
        answer["effect"] = transactions.run(lambda now: _effect(written, chosen, now))
    return JsonResponse(answer)


def _said(rule: object) -> dict[str, Any]:
    """A rule that may be unfinished, in words and with its curve, as far as that goes."""
    if not isinstance(rule, dict):
        return {"sentence": "", "notes": [], "points": "", "curve": None}
    signal, points = rule.get("signal"), rule.get("points")
    worth = float(points) if isinstance(points, int | float) and abs(points) < LARGEST_ID else 0.0
    curve = curves.drawn(rule.get("decay"), worth) if wording.counts_each(signal) else None
    try:
        sentence = wording.sentence(signal)
    except ValueError:
        sentence = ""
    try:
        notes = wording.bounds(rule)
    except (TypeError, ValueError):
        notes = []
    return {
        "sentence": sentence,
        "notes": notes,
        "points": wording.signed(worth),
        "curve": asdict(curve) if curve else None,
    }


def _effect(written: Written, chosen: Sequence[int], now: datetime) -> dict[str, Any]:
    ids = chosen or effects.telling(written, now=now)
    found = effects.effect(written, contact_ids=ids, now=now)
    people = {each.pk: each for each in Contact.objects.filter(pk__in=[row.contact_id for row in found])}
    return {
        "threshold": written.settings.mql_threshold,
        "rows": [{**asdict(row), **_person(people[row.contact_id])} for row in found if row.contact_id in people],
    }


def _person(contact: Contact) -> dict[str, str]:
    name = full_name(contact)
    return {
        "name": name or str(contact),
        "more": str(contact) if name else "",
        "url": reverse("admin:contacts_contact_change", args=[contact.pk]),
    }


def _ids(body: dict[str, Any]) -> list[int]:
    given = body.get("contacts")
    if given is None:
        return []
    if not isinstance(given, list) or len(given) > MOST_CONTACTS or not all(_is_id(each) for each in given):
        raise Unanswerable([Problem("contacts", "wrong_type", f"expected at most {MOST_CONTACTS} ids of contacts")])
    return given


def _is_id(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < LARGEST_ID


@answering
def explain(request: HttpRequest, draft: Ruleset) -> JsonResponse:
    """{rules: [{name, before, after, events}]}: what each rule gives a contact now and under the rules in the body,
    those that give nothing on either side left out."""
    body = _asked(request)
    written, contact_id = _written(body, draft), body.get("contact")
    if not isinstance(contact_id, int) or not _is_id(contact_id):
        raise Unanswerable([Problem("contact", "wrong_type", "expected the id of a contact")])

    def work(now: datetime) -> tuple[explanation.Explanation, explanation.Explanation]:
        under = effects.ruleset_of(written)
        return (
            explanation.explain(contact_id, now, draft.name),
            explanation.explain(contact_id, now, draft.name, ruleset=under),
        )

    try:
        before, after = transactions.run(work)
    except LookupError as error:
        raise Unanswerable([Problem("contact", "unknown", "there is no such contact")]) from error
    return JsonResponse({"rules": _beside(before.rules, after.rules), "before": before.score, "after": after.score})


def _beside(before: Iterable[explanation.RuleShare], after: Iterable[explanation.RuleShare]) -> list[dict[str, Any]]:
    """Both sides of each rule by its name; of those with the same name, the first beside the first."""
    left: dict[str, list[explanation.RuleShare]] = defaultdict(list)
    for share in before:
        left[share.name].append(share)
    rows = []
    for share in after:
        old = left[share.name].pop(0) if left[share.name] else None
        rows.append((share.name, old.points if old else 0.0, share.points, share.event_count))
    rows += [(share.name, share.points, 0.0, share.event_count) for shares in left.values() for share in shares]
    return [
        {"name": name, "before": old, "after": new, "events": events} for name, old, new, events in rows if old or new
    ]


def people(request: HttpRequest) -> JsonResponse:
    """The contacts whom an identifier means, or whose email or external id begins like it."""
    term = request.GET.get("q", "").strip().replace("\x00", "")[:255]
    living = Contact.objects.filter(merged_into=None, erased_at=None)
    if not term:
        return JsonResponse({"contacts": []})
    exact = list(living.filter(pk__in=contact_ids_of(term))[:FOUND])
    begins = living.filter(Q(email__startswith=term) | Q(external_id__startswith=term)).order_by("email")[:FOUND]
    found = {contact.pk: contact for contact in (*exact, *begins)}
    return JsonResponse({"contacts": [{"id": pk, **_person(each)} for pk, each in list(found.items())[:FOUND]]})


# -- saving and activating --------------------------------------------------------------------------------------------


@answering
def save(request: HttpRequest, draft: Ruleset) -> JsonResponse:
    """{edits}; 409 {conflict} when somebody else saved meanwhile, 410 {gone} when it is not a draft any more."""
    body = _asked(request)
    raw, edits = body.get("draft"), _edits(body)
    mine = {**raw, "name": draft.name} if isinstance(raw, dict) else raw
    try:
        saved = transactions.run(lambda now: versions.change_draft(draft.pk, mine, edits=edits, by=str(request.user)))
    except versions.Stale:
        return _conflict(draft.pk, mine)
    except versions.NoDraft:
        return _gone(draft)
    return JsonResponse({"edits": saved})


def _conflict(pk: int, mine: Any) -> JsonResponse:
    theirs = Ruleset.objects.get(pk=pk)
    written = versions.as_written(theirs)
    told = showing.shown_changes(diff.compare(written, versions.spelled(parse_ruleset(mine))))
    conflict = {"edits": theirs.edits, "by": theirs.created_by, "draft": written, "changes": told}
    return JsonResponse({"conflict": conflict}, status=409)


def _gone(draft: Ruleset) -> JsonResponse:
    said = "This draft was activated or discarded meanwhile. Your rules are still here, and kept in this browser."
    return JsonResponse({"gone": said, "url": reverse("admin:scoring_ruleset_changelist")}, status=410)


@answering
def consequences(request: HttpRequest, draft: Ruleset) -> JsonResponse:
    """{words, changes, against, note}: what activating the saved draft would do."""
    written = parse_ruleset(versions.as_written(draft))
    active = Ruleset.objects.filter(name=draft.name, state="active").first()
    found = transactions.run(lambda now: effects.consequences(written, now=now))
    note = ""
    if active is not None and draft.based_on is not None and draft.based_on != active.version:
        note = (
            f"This draft began from v{draft.based_on}, and v{active.version} became active since. Below is what would "
            f"change from v{active.version}."
        )
    return JsonResponse(
        {
            "words": _words(found, written.settings.mql_threshold),
            "changes": showing.changes(active, versions.as_written(draft)),
            "against": str(active) if active else "",
            "note": note,
        }
    )


def _words(found: effects.Consequences, threshold: float) -> str:
    if found.rise is None or found.fall is None:
        return "Counting everybody took too long, so nobody can say beforehand how many contacts would change sides."
    reached = wording.number(threshold)
    about = "about " if found.estimated else ""
    words = (
        f"Under this version {about}{_people(found.rise)} would rise to {reached} or above, and "
        f"{about}{found.fall:,} would fall."
    )
    if found.estimated:
        words += f" That is an estimate from {found.looked_at:,} of {found.contacts:,} contacts."
    return words


def _people(count: int) -> str:
    return f"{count:,} contact{'' if count == 1 else 's'}"


@answering
def activate(request: HttpRequest, draft: Ruleset) -> JsonResponse:
    """{url}; 409 {stale} when somebody saved the draft since it was shown."""
    body = _asked(request)
    edits, chosen = _edits(body), body.get("on_activation")

    def work(now: datetime) -> int:
        return versions.activate_draft(draft.pk, now=now, on_activation=chosen, edits=edits, by=str(request.user))

    try:
        pk = transactions.run(work)
    except versions.Stale:
        said = "Somebody saved this draft while you looked at it. Nothing was activated."
        return JsonResponse({"stale": said}, status=409)
    except versions.NoDraft:
        return _gone(draft)
    return JsonResponse({"url": reverse("admin:scoring_ruleset_change", args=[pk])})


def _edits(body: dict[str, Any]) -> int:
    value = body.get("edits")
    if type(value) is not int or not 0 <= value < LARGEST_ID:
        raise Unanswerable([Problem("edits", "wrong_type", "expected how often the draft had been saved")])
    return value
