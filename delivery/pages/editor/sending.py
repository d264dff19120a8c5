"""Trying a draft: a test mail to colleagues, the live version to the seed list, and every link once."""

from __future__ import annotations

from datetime import datetime

from django.http import HttpRequest, JsonResponse

from contacts import transactions
from contacts.faults import Fault
from delivery.authoring import checks, seeds, templates, test_sends
from delivery.authoring.templates import BadTemplate
from delivery.authoring.test_sends import UnableToTry
from delivery.models import SeedAddress, Template
from delivery.pages.editor import deeds as editor_deeds
from delivery.pages.editor import draft as editor_draft
from delivery.pages.editor import mail as editor_mail
from delivery.pages.editor.deeds import answering
from delivery.pages.editor.draft import DEFAULT, NotReadable


@answering
def test(request: HttpRequest, *, may_see_contacts: bool) -> JsonResponse:
    """The words as they stand, to the addresses in `to`: {said}, or 400 {problem}."""
    draft, locale, whom = editor_deeds.asked(request)
    to = editor_draft.body_of(request.body).get("to")
    if not isinstance(to, list) or not all(isinstance(each, str) for each in to):
        raise NotReadable([Fault("type", "expected a list of addresses", ("to",))])
    person, label = editor_mail.person(whom if may_see_contacts else "")
    manuscript = editor_draft.manuscript(draft)
    if draft.kind != "message" or draft.channel != "email":
        return _refused("only messages by email can be tried.")
    try:
        wording = templates.wording_of(templates.made(manuscript), manuscript.options)
        sent = transactions.run(
            lambda now: test_sends.send(
                draft.slug or "a-new-template",
                to,
                person=person,
                locale=locale or None,
                wording=wording,
                asked_by=getattr(request.user, "email", ""),
                now=now,
            )
        )
    except BadTemplate as error:
        return _refused("; ".join(fault.msg for fault in error.faults[:3]))
    except UnableToTry as error:
        return _refused("; ".join(dict.fromkeys(fault.msg for fault in error.faults)))
    return JsonResponse({"said": f"On its way to {', '.join(sent)}, as {label} would get it."})


@answering
def seed(request: HttpRequest, template: Template) -> JsonResponse:
    """The live version, in every language, to the seed list: {said}, or 400 {problem}."""

    def work(now: datetime) -> seeds.Sent:
        return seeds.send([template.slug], now=now)

    if not SeedAddress.objects.exists():
        return _refused("the seed list is empty.")
    try:
        sent = transactions.run(work)
    except UnableToTry as error:
        return _refused("; ".join(fault.msg for fault in error.faults))
    languages = "one language" if sent.languages == 1 else f"{sent.languages} languages"
    return JsonResponse({"said": f"{sent.mails} mails are on their way, in {languages}."})


@answering
def links(request: HttpRequest) -> JsonResponse:
    """Every link of the words as they stand, asked whether it is there: {findings}."""
    draft, locale, _ = editor_deeds.asked(request)
    made = editor_mail.made(draft)
    version = made.versions.get(locale)
    if version is None:
        return _refused("the mail cannot be made yet.")
    found = checks.broken_links(version.default.words)
    return JsonResponse({"findings": editor_mail.found(found, draft, locale or DEFAULT)})


def _refused(words: str) -> JsonResponse:
    return JsonResponse({"problem": words}, status=400)
