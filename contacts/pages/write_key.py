"""What a browser's write key may do, seen and changed: the types of events, the origins, the identity secret."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.widgets import UnfoldAdminTextareaWidget

from contacts import transactions
from contacts.access import BadKeyRequest
from contacts.collect import write_keys
from contacts.models import ApiKey
from contacts.pages.cells import moment, tags


class Lines(forms.CharField):
    """Several texts, one a line."""

    def __init__(self, *, help_text: str) -> None:
        super().__init__(
            required=False,
            max_length=10_000,
            help_text=help_text,
            widget=UnfoldAdminTextareaWidget(attrs={"rows": 3, "spellcheck": "false"}),
        )

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list | tuple) else value

    def clean(self, value: Any) -> list[str]:
        return [line.strip() for line in super().clean(value).splitlines() if line.strip()]


class Narrowing(forms.Form):
    """What a key of web pages may do; empty: any."""

    events = Lines(
        help_text="Types of events that it may send, one a line, such as page_viewed. Empty: any but our own"
    )
    origins = Lines(
        help_text="Sites whose pages may use it, one a line: https://www.example.com, https://*.example.com. Empty: any"
    )


def facts(key: ApiKey) -> list[tuple[str, Any]]:
    """For the page of a write key."""
    if key.kind != "browser":
        return [("Last event", moment(key.last_event_at))]
    return [
        ("May send", tags(key.allowed_events, shown=20) if key.allowed_events else "any event but our own"),
        ("From pages of", tags(key.allowed_origins, shown=20) if key.allowed_origins else "any origin"),
        ("Identity secret", "set: who somebody is needs a user_hash" if key.identity_secret else "none"),
        ("Last event", moment(key.last_event_at)),
    ]


def narrowing(key: ApiKey, *, may_change: bool) -> dict[str, Any]:
    """For the same page: the form, for whoever may use it."""
    if key.kind != "browser" or key.revoked_at is not None or not may_change:
        return {}
    initial = {"events": key.allowed_events, "origins": key.allowed_origins}
    website = f"{reverse('admin:contacts_website')}?key={key.pk}"
    return {"narrowing": Narrowing(initial=initial), "website": website, "has_secret": bool(key.identity_secret)}


def narrow(request: HttpRequest, pk: int) -> HttpResponse | Narrowing:
    """POST: what it may do from now on. The form comes back where something in it is wrong."""
    form = Narrowing(request.POST)
    if form.is_valid():

        def work(now: datetime) -> None:
            write_keys.narrow(pk, events=form.cleaned_data["events"], origins=form.cleaned_data["origins"])

        try:
            transactions.run(work)
        except BadKeyRequest as error:
            form.add_error(None, f"{error}.")
        else:
            messages.success(request, "From now on the key may do just that.")
            return _back(pk)
    return form


def drop_secret(request: HttpRequest, pk: int) -> HttpResponse:
    """POST only."""
    if request.method != "POST" or not request.user.has_perm("contacts.change_apikey"):
        raise PermissionDenied
    transactions.run(lambda now: write_keys.drop_identity_secret(pk))
    messages.success(request, "The identity secret is removed. Pages can no longer change contacts who are known.")
    return _back(pk)


def _back(pk: int) -> HttpResponse:
    return HttpResponseRedirect(reverse("admin:contacts_apikey_change", args=[pk]))
