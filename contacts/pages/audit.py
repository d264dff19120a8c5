"""The audit log: who changed what, from what to what."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from contacts import clock, seals
from contacts.models import AuditEntry, UnsealedEntry
from contacts.pages.cells import words
from contacts.pages.changelists import Empty, ReadOnlyAdmin

SHOWN = 50
LONGEST = 200  # characters of what is searched for
SPANS = {"": "At any time", "hour": "In the past hour", "day": "In the past day", "week": "In the past 7 days",
         "month": "In the past 30 days"}  # fmt: skip
_LONG = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7), "month": timedelta(days=30)}
KINDS = {
    "workflow": "Journeys",
    "enrolment": "Paths through journeys",
    "template": "Templates",
    "segment": "Segments",
    "list": "Lists",
    "tag": "Tags",
    "ruleset": "Scoring rules",
    "progression_rule": "Progression rules",
    "experiment": "Experiments",
    "address": "Suppressions",
    "contact": "Contacts",
    "provider": "Providers",
    "domain": "Sending domains",
    "api_key": "API keys",
    "service_account": "Service accounts",
    "user": "Users",
    "group": "Groups",
}
THINGS = {"ruleset": "scoring rules", "workflow": "journey", "enrolment": "path in a journey", "api_key": "API key"}


@dataclass(frozen=True)
class Wish:
    """What is looked for: `who` (a user or a key), `kind` and `thing` (an id, a slug), `what` (a deed), `span`."""

    who: str = ""
    kind: str = ""
    thing: str = ""
    what: str = ""
    span: str = ""

    @classmethod
    def of(cls, request: HttpRequest) -> Wish:
        return cls(**{name: _text(request, name) for name in ("who", "kind", "thing", "what", "span")})

    def rows(self, now: datetime) -> QuerySet[AuditEntry]:
        rows = AuditEntry.objects.order_by("-id")
        if self.who:
            rows = rows.filter(actor=self.who)
        if self.kind:
            rows = rows.filter(object_type=self.kind)
        if self.thing:
            rows = rows.filter(object_id=self.thing)
        if self.what:
            rows = rows.filter(what=self.what)
        return rows.filter(at__gte=now - _LONG[self.span]) if self.span in _LONG else rows

    def query(self, **more: Any) -> str:
        given = {name: value for name, value in {**vars(self), **more}.items() if value}
        return f"?{urlencode(given)}"


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    title_of_list = "Audit log"
    nouns = ("entry", "entries")
    empty = Empty("history", "Nothing was changed yet", "Publishing, suppressing, new keys: each change stands here.")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """By keyset: a page costs the same, however far back it lies."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        wish, before = Wish.of(request), _text(request, "before")
        rows = wish.rows(clock.now())
        if before.isdecimal() and len(before) < 19:
            rows = rows.filter(pk__lt=int(before))
        found = list(rows[: SHOWN + 1])
        unsealed = set(
            UnsealedEntry.objects.filter(pk__in=[entry.pk for entry in found]).values_list("entry_id", flat=True)
        )
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": self.title_of_list,
            "crumbs": [(self.title_of_list, "")],
            "entries": [{**_shown(entry), "is_sealed": entry.pk not in unsealed} for entry in found[:SHOWN]],
            "seals": seals.head().position,
            "wish": wish,
            "kinds": KINDS.items(),
            "spans": SPANS.items(),
            "is_narrowed": wish != Wish(),
            "older": wish.query(before=found[SHOWN - 1].pk) if len(found) > SHOWN else "",
            "newest": wish.query() if before else "",
            "empty": self.empty,
        }
        return TemplateResponse(request, "admin/contacts/audit.html", context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """An entry has no page of its own: the list shows all of it."""
        raise PermissionDenied


def _shown(entry: AuditEntry) -> dict[str, Any]:
    thing, _, deed = entry.what.partition(".")
    before, after = entry.before or {}, entry.after or {}
    return {
        "entry": entry,
        "who": {"key": f"API key {entry.actor}", "house": "The installation", "nobody": "Nobody"}.get(
            entry.actor_kind, entry.actor
        ),
        "deed": words(deed),
        "thing": THINGS.get(thing, thing.replace("_", " ")),
        "name": entry.object_name or entry.object_id,
        "changes": [
            {"name": words(name), "key": name, "before": before.get(name), "after": after.get(name)}
            for name in {**before, **after}
        ],
    }


def _text(request: HttpRequest, name: str) -> str:
    return request.GET.get(name, "").replace("\x00", "").strip()[:LONGEST]
