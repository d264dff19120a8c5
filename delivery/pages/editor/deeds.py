"""What the editor asks of the server: a preview, the next version, what versions say, and who a preview may be for.
Everything is JSON. What was posted and cannot be read is answered with 400 and its places, never with a failure."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db.models import Q
from django.http import Http404, HttpRequest, JsonResponse
from django.urls import reverse
from django.utils.text import slugify

from contacts import transactions
from contacts.faults import Fault
from contacts.models import Contact
from contacts.pages.contacts import contact_ids_of, full_name
from delivery.authoring import templates
from delivery.authoring.templates import BadTemplate
from delivery.models import Template, TemplateVersion
from delivery.pages.editor import diff as editor_diff
from delivery.pages.editor import draft as editor_draft
from delivery.pages.editor import mail as editor_mail
from delivery.pages.editor.draft import DEFAULT, Draft, NotReadable

FOUND = 8  # contacts that a search shows
SHOWN = 200  # versions
_SLUG = re.compile(r"[-a-zA-Z0-9_]{1,100}")


class Conflict(Exception):
    """Somebody else saved meanwhile."""

    def __init__(self, template: Template) -> None:
        super().__init__(template.slug)
        self.template = template


def asked(request: HttpRequest) -> tuple[Draft, str, str]:
    """(draft, locale, whom the preview is for). Raises NotReadable."""
    body = editor_draft.body_of(request.body)
    draft = editor_draft.read(body.get("draft"))
    locale, whom = body.get("locale", DEFAULT), body.get("as", "")
    wrong = [
        Fault("type", "expected a text", (name,))
        for name, value in (("locale", locale), ("as", whom))
        if not isinstance(value, str)
    ]
    if wrong:
        raise NotReadable(wrong)
    return draft, locale if locale in draft.words else DEFAULT, whom.strip()


def refused(error: NotReadable) -> JsonResponse:
    """400 with the places."""
    faults = [
        {
            "locale": DEFAULT,
            "place": ".".join(map(str, fault.loc)),
            "words": fault.msg,
            "code": fault.code,
            "tone": "bad",
        }
        for fault in error.faults
    ]
    return JsonResponse({"problem": str(error), "faults": faults}, status=400)


def answering(view: Callable[..., JsonResponse]) -> Callable[..., JsonResponse]:
    """A view whose NotReadable becomes a 400."""

    def answer(*args: Any, **kwargs: Any) -> JsonResponse:
        try:
            return view(*args, **kwargs)
        except NotReadable as error:
            return refused(error)

    return answer


@answering
def preview(request: HttpRequest, *, may_see_contacts: bool) -> JsonResponse:
    draft, locale, whom = asked(request)
    person, label = editor_mail.person(whom if may_see_contacts else "")
    answer = editor_mail.shown(draft, locale, person)
    return JsonResponse({**answer, "as": label})


@answering
def save(request: HttpRequest, template: Template | None) -> JsonResponse:
    """{number, changed, version, url}; 409 {conflict} when somebody else saved meanwhile; 400 {problem, faults}."""
    draft, _, _ = asked(request)
    if template is None:
        slug = draft.slug or slugify(draft.name)[:100]
        faults = list(_faults_of_new(draft, slug))
    else:
        slug = template.slug
        faults = _faults_of_name(draft)
    if template is not None and (draft.channel, draft.kind) != (template.channel, template.kind):
        faults.append(Fault("kind", "what a template is never changes", ("kind",)))
    if faults:
        return _not_saved(draft, faults)
    return _saved(request, draft, slug, is_new=template is None)


@answering
def restore(request: HttpRequest, template: Template) -> JsonResponse:
    """Make an old version's words the newest version. As `save`."""
    body = editor_draft.body_of(request.body)
    number, base = _number(body, "number"), _number(body, "base")
    draft = editor_draft.read({**editor_draft.of_version(template, _version(template, number)), "base": base})
    return _saved(request, draft, template.slug, is_new=False)


def version(request: HttpRequest, template: Template, number: int) -> JsonResponse:
    """A version as the editor would open it; with `?with=` what another one says differently; with `?look` how it
    looked."""
    one = editor_draft.of_version(template, _version(template, number))
    if "look" in request.GET:
        seen = editor_mail.shown(editor_draft.read(one), DEFAULT, editor_mail.person("")[0])
        return JsonResponse({name: seen.get(name, "") for name in ("subject", "html", "text", "problem")})
    with_ = request.GET.get("with", "")
    if with_:
        if not (with_.isascii() and with_.isdigit() and len(with_) < 10):
            raise Http404("There is no such version")
        other = editor_draft.of_version(template, _version(template, int(with_)))
        return JsonResponse({"diff": editor_diff.compared(one, other)})
    return JsonResponse({"draft": one})


def contacts(request: HttpRequest) -> JsonResponse:
    """The contacts that an identifier means, or whose email or external id begins like it."""
    term = request.GET.get("q", "").strip().replace("\x00", "")[:255]
    if not term:
        return JsonResponse({"contacts": []})
    living = Contact.objects.filter(merged_into=None, erased_at=None)
    exact = list(living.filter(pk__in=contact_ids_of(term))[:FOUND])
    begins = living.filter(Q(email__startswith=term) | Q(external_id__startswith=term)).order_by("email")[:FOUND]
    found = {contact.pk: contact for contact in (*exact, *begins)}
    return JsonResponse(
        {
            "contacts": [
                {
                    "id": contact.email or contact.external_id or str(contact.public_id),
                    "name": full_name(contact) or str(contact),
                    "more": " · ".join(filter(None, [str(contact), contact.locale])),
                }
                for contact in list(found.values())[:FOUND]
            ]
        }
    )


def listed(template: Template) -> list[dict[str, Any]]:
    return [described(version) for version in template.versions.order_by("-number")[:SHOWN]]


def described(version: TemplateVersion) -> dict[str, Any]:
    return {"number": version.number, "at": version.created_at.isoformat(), "by": version.saved_by}


def _number(body: dict[str, Any], name: str) -> int:
    value = body.get(name)
    if type(value) is not int or not 0 <= value <= 2_000_000_000:
        raise NotReadable([Fault("type", "expected the number of a version", (name,))])
    return value


def _version(template: Template, number: int) -> TemplateVersion:
    found = template.versions.filter(number=number).first()
    if found is None:
        raise Http404("There is no such version")
    return found


def _saved(request: HttpRequest, draft: Draft, slug: str, *, is_new: bool) -> JsonResponse:
    by = str(request.user)

    def work(now: datetime) -> tuple[int, int]:
        """(the live version's number before, the id of the one that is live now)"""
        template = Template.objects.select_for_update(no_key=True, of=("self",)).filter(slug=slug).first()
        before = template.live_version.number if template and template.live_version else 0
        if template is not None and (is_new or before != draft.base):
            raise Conflict(template)
        manuscript = editor_draft.manuscript(draft)
        return before, templates.save_version(
            slug=slug,
            name=draft.name.strip(),
            **vars(manuscript.writing),
            channel=draft.channel,
            kind=draft.kind,
            locales=manuscript.locales,
            options=manuscript.options,
            saved_by=by,
            now=now,
        )

    try:
        before, version_id = transactions.run(work)
    except BadTemplate as error:
        return _not_saved(draft, list(error.faults))
    except Conflict as error:
        if is_new:
            return _not_saved(draft, [Fault("taken", "there is a template with this slug already", ("slug",))])
        return _conflict(draft, error.template)
    saved = TemplateVersion.objects.get(pk=version_id)
    return JsonResponse(
        {
            "number": saved.number,
            "changed": saved.number != before,
            "version": described(saved),
            "url": reverse("admin:delivery_template_change", args=[saved.template_id]),
        }
    )


def _conflict(draft: Draft, template: Template) -> JsonResponse:
    theirs = template.live_version
    told = editor_draft.of_version(template, theirs)
    return JsonResponse(
        {
            "conflict": {
                "number": theirs.number if theirs else 0,
                "at": (theirs.created_at if theirs else template.created_at).isoformat(),
                "by": theirs.saved_by if theirs else "",
                "draft": told,
                "diff": editor_diff.compared(told, draft.model_dump()),
            }
        },
        status=409,
    )


def _not_saved(draft: Draft, faults: list[Fault]) -> JsonResponse:
    found = editor_mail.placed(faults, draft)
    return JsonResponse({"problem": "; ".join(each["words"] for each in found[:3]), "faults": found}, status=400)


def _faults_of_name(draft: Draft) -> list[Fault]:
    return [] if draft.name.strip() else [Fault("missing", "the template needs a name", ("name",))]


def _faults_of_new(draft: Draft, slug: str) -> list[Fault]:
    faults = _faults_of_name(draft)
    if not _SLUG.fullmatch(slug):
        faults.append(Fault("slug", "a slug is letters, digits, hyphens and underscores, such as welcome-2", ("slug",)))
    return faults
