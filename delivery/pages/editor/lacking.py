"""Which values of a draft its readers lack: asked while it is written, before a saving makes it live."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, JsonResponse

from contacts import transactions
from delivery.authoring import missing, templates
from delivery.authoring.missing import Gap, Report
from delivery.pages.editor import deeds as editor_deeds
from delivery.pages.editor import draft as editor_draft
from delivery.pages.editor import mail as editor_mail
from delivery.pages.editor import places as editor_places
from delivery.pages.editor.deeds import answering
from delivery.pages.editor.draft import DEFAULT, Draft

SHOWN = 30
OTHER_WORDS = {"first_name": "there", "company": "your company"}  # what is often said instead; else some words


@answering
def lacking(request: HttpRequest) -> JsonResponse:
    """{findings}, the worst first: of all contacts, how many have nothing for each value that the words name, in any
    language; values that have other words beside them are not told. Empty while the draft cannot be made. Counts
    alone: no contact is named."""
    draft, _, _ = editor_deeds.asked(request)
    made = editor_mail.made(draft)
    if draft.kind != "message" or DEFAULT not in made.versions:
        return JsonResponse({"findings": []})
    options = editor_draft.options(draft)
    wordings = [templates.wording_of(version, options) for version in made.versions.values()]
    report = transactions.run(lambda now: missing.report(wordings))
    return JsonResponse({"findings": _findings(report, draft)})


def _findings(report: Report, draft: Draft) -> list[dict[str, Any]]:
    if not report.is_patient:
        words = "Who lacks what these words name was not found out: it took too long"
        return [editor_mail.finding(("html",), words, "lacking", "info", draft=draft)]
    return [_finding(gap, report, draft) for gap in report.gaps[:SHOWN]]


def _finding(gap: Gap, report: Report, draft: Draft) -> dict[str, Any]:
    of = f"the newest {report.audience:,}" if report.is_part else f"{report.audience:,}"
    are = "contact" if report.audience == 1 else "contacts"
    instead = OTHER_WORDS.get(gap.name.removeprefix("contact."), "other words")
    name = f"{{{{{gap.name}}}}}{{{{^{gap.name}}}}}{instead}{{{{/{gap.name}}}}}"
    words = f"In {gap.missing:,} of {of} {are} {gap.name} is empty. Say something else there: {name}"
    locale, place = _place(gap, draft)
    return {**editor_mail.finding((), words, "lacking", "warn", draft=draft, locale=locale), "place": place}


def _place(gap: Gap, draft: Draft) -> tuple[str, str]:
    """(locale, place) of the first field that names the value."""
    name = gap.name.removeprefix("contact.")
    for locale, part in draft.words.items():
        fields = [("subject", part.subject), ("preheader", part.preheader), ("text", part.text)]
        for place, text in fields:
            if place in gap.parts and editor_places.mentions(text, name):
                return locale, place
        for path, text in editor_places.texts(part.source.body):
            if editor_places.mentions(text, name):
                is_blocks = part.source.kind == "blocks"
                return locale, ".".join(map(str, ("blocks", *path))) if is_blocks else "body"
    return DEFAULT, ""
