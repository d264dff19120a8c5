"""What is changed about a key that is there: its secret, its limit, whose it is."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget

from contacts import access, key_rotation, transactions
from contacts.models import ApiKey, ServiceAccount
from contacts.pages.cells import link, moment

OVERLAPS = {
    "86400": "For a day",
    "3600": "For an hour",
    "604800": "For a week",
    "2592000": "For 30 days",
    "0": "Not at all: it may have leaked",
}


def limit_field() -> forms.IntegerField:
    return forms.IntegerField(
        label="Requests a minute",
        required=False,
        min_value=1,
        max_value=access.MOST_PER_MINUTE,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="The most that it may ask. Empty: what the installation allows every key",
    )


def account_field(choices: QuerySet[ServiceAccount] | None = None) -> forms.ModelChoiceField:
    """`choices`: None is those at work."""
    return forms.ModelChoiceField(
        label="Service account",
        queryset=(ServiceAccount.objects.filter(disabled_at=None) if choices is None else choices).order_by("name"),
        required=False,
        empty_label="None",
        widget=UnfoldAdminSelectWidget,
        help_text="The program that it belongs to. All keys of one are refused together when it is disabled",
    )


class Given(forms.Form):
    """A key's limit, and whose it is."""

    limit = limit_field()
    account = account_field()

    def __init__(self, *args: Any, key: ApiKey, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if key.service_account_id is not None:  # stays what it is where that is disabled
            choices = ServiceAccount.objects.filter(Q(disabled_at=None) | Q(pk=key.service_account_id))
            self.fields["account"] = account_field(choices)


class Rotation(forms.Form):
    overlap = forms.ChoiceField(label="The old secret goes on", choices=list(OVERLAPS.items()))


def facts(key: ApiKey, now: datetime) -> list[tuple[str, Any]]:
    """For the page of a key; of the account as whoever may see keys sees it."""
    account = key.service_account
    limit = key.requests_per_minute
    return [
        ("Limit", f"{limit:,} requests a minute" if limit else "what the installation allows"),
        ("Service account", link(account.name, accounts_page(account.pk)) if account else "none"),
        *([("Rotated", moment(key.rotated_at))] if key.rotated_at else []),
        *(
            [("Former secret opens until", moment(key.former_until)), ("It was last used", moment(key.former_used_at))]
            if is_overlapping(key, now)
            else []
        ),
    ]


def accounts_page(pk: int) -> str:
    return f"{reverse('admin:contacts_apikey_accounts')}#account-{pk}"


def is_overlapping(key: ApiKey, now: datetime) -> bool:
    return key.former_until is not None and key.former_until > now


def context(key: ApiKey, now: datetime, *, may_change: bool) -> dict[str, Any]:
    """For the same page: what can be changed, for whoever may."""
    if not may_change or key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= now):
        return {}
    initial = {"limit": key.requests_per_minute, "account": key.service_account_id}
    return {
        "given": Given(initial=initial, key=key),
        "overlaps": [] if is_overlapping(key, now) else OVERLAPS.items(),
        "may_end": is_overlapping(key, now),
    }


def urls(model_admin: Any) -> list[Any]:
    """Below a key: change what it is given, rotate, end the overlap."""

    def rotate(request: HttpRequest, pk: int) -> HttpResponse:
        _insist(request)
        form = Rotation(request.POST)
        if not form.is_valid():
            raise PermissionDenied
        overlap = timedelta(seconds=int(form.cleaned_data["overlap"]))
        try:
            key = transactions.run(lambda now: key_rotation.rotate(pk, overlap=overlap, now=now))
        except access.BadKeyRequest as error:
            messages.error(request, f"The secret was not rotated: {error}.")
            return _back(pk)
        row = ApiKey.objects.get(pk=pk)
        shown = {
            **model_admin.admin_site.each_context(request),
            "opts": model_admin.opts,
            "title": f"New secret of {row.name}",
            "crumbs": model_admin.crumbs(row.name, "New secret"),
            "key": key,
            "ends": row.expires_at,
            "former_until": row.former_until,
            "rotated": True,
        }
        response = TemplateResponse(request, "admin/contacts/api_key_new.html", shown)
        response["Cache-Control"] = "no-store"  # the key is in this page and must not outlive it
        return response

    def end_overlap(request: HttpRequest, pk: int) -> HttpResponse:
        _insist(request)
        if transactions.run(lambda now: key_rotation.end_overlap(pk, now=now)):
            messages.success(request, "The former secret is refused from now on.")
        return _back(pk)

    def give(request: HttpRequest, pk: int) -> HttpResponse:
        _insist(request)
        row = ApiKey.objects.filter(pk=pk).first()
        if row is None:
            raise PermissionDenied
        form = Given(request.POST, key=row)
        if not form.is_valid():
            return model_admin.change_view(request, str(pk), extra_context={"given": form})
        limit, account = form.cleaned_data["limit"], form.cleaned_data["account"]

        def work(now: datetime) -> None:
            key_rotation.give(pk, requests_per_minute=limit, service_account=account and account.pk, now=now)

        try:
            transactions.run(work)
        except access.BadKeyRequest as error:
            form.add_error(None, f"{error}.")
            return model_admin.change_view(request, str(pk), extra_context={"given": form})
        messages.success(request, "Saved.")
        return _back(pk)

    wrap = model_admin.admin_site.admin_view
    return [
        path("<int:pk>/rotate/", wrap(rotate), name="contacts_apikey_rotate"),
        path("<int:pk>/end-overlap/", wrap(end_overlap), name="contacts_apikey_end_overlap"),
        path("<int:pk>/give/", wrap(give), name="contacts_apikey_give"),
    ]


def _insist(request: HttpRequest) -> None:
    if request.method != "POST" or not request.user.has_perm("contacts.change_apikey"):
        raise PermissionDenied


def _back(pk: int) -> HttpResponse:
    return HttpResponseRedirect(reverse("admin:contacts_apikey_change", args=[pk]))
