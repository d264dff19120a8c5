"""Service accounts: the programs that own keys, who answers for each, and shutting one out with all its keys."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from contacts import clock, service_accounts, transactions
from contacts.models import ApiKey, ServiceAccount
from contacts.service_accounts import LONGEST_DESCRIPTION, LONGEST_NAME, BadAccount

SHOWN = 200  # programs; a company has a few dozen
KEYS_SHOWN = 20  # the newest of each


def _owners() -> QuerySet[User]:
    return User.objects.filter(is_staff=True, is_active=True).order_by("username")


class NewAccount(forms.Form):
    name = forms.CharField(
        max_length=LONGEST_NAME, widget=UnfoldAdminTextInputWidget, help_text="The program, such as Web shop"
    )
    description = forms.CharField(
        max_length=LONGEST_DESCRIPTION,
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="What it does here, and where it runs",
    )
    owner = forms.ModelChoiceField(
        queryset=_owners(),
        required=False,
        empty_label="Nobody yet",
        widget=UnfoldAdminSelectWidget,
        help_text="Whom to ask about it",
    )


def urls(model_admin: Any) -> list[Any]:
    """The page, and the deeds on it. `change` of a deed is refused to whoever may not change keys."""

    def page(request: HttpRequest) -> HttpResponse:
        if not model_admin.has_view_permission(request):
            raise PermissionDenied
        may_add = request.user.has_perm("contacts.add_apikey")
        form = NewAccount(request.POST if request.method == "POST" else None)
        if request.method == "POST":
            if not may_add:
                raise PermissionDenied
            if form.is_valid() and _added(request, form):
                return _back()
        now = clock.now()
        context = {
            **model_admin.admin_site.each_context(request),
            "opts": model_admin.opts,
            "title": "Service accounts",
            "crumbs": model_admin.crumbs("Service accounts"),
            "tab": "accounts",
            "accounts": _accounts(now, model_admin),
            "form": form if may_add else None,
            "owners": _owners(),
            "may_change": request.user.has_perm("contacts.change_apikey"),
        }
        return TemplateResponse(request, "admin/contacts/service_accounts.html", context)

    def change(request: HttpRequest, pk: int, deed: str) -> HttpResponse:
        if request.method != "POST" or not request.user.has_perm("contacts.change_apikey"):
            raise PermissionDenied
        try:
            if transactions.run(lambda now: _do(deed, pk, request.POST.get("owner", ""), now)):
                messages.success(request, SAID[deed])
        except BadAccount as error:
            messages.error(request, f"Nothing was changed: {error}.")
        return _back()

    wrap = model_admin.admin_site.admin_view
    return [
        path("accounts/", wrap(page), name="contacts_apikey_accounts"),
        *(
            path(
                f"accounts/<int:pk>/{deed}/",
                wrap(lambda request, pk, deed=deed: change(request, pk, deed)),
                name=f"contacts_apikey_account_{deed}",
            )
            for deed in SAID
        ),
    ]


SAID = {
    "disable": "The account is disabled. Requests with any of its keys are refused from now on.",
    "enable": "The account is at work again.",
    "owner": "Somebody else answers for it now.",
}


def _do(deed: str, pk: int, owner: str, now: datetime) -> bool:
    if deed == "disable":
        return service_accounts.disable(pk, now=now)
    if deed == "enable":
        return service_accounts.enable(pk)
    return service_accounts.change_owner(pk, owner=owner)


def _added(request: HttpRequest, form: NewAccount) -> bool:
    said = form.cleaned_data
    owner = said["owner"].username if said["owner"] else ""

    def work(now: datetime) -> int:
        return service_accounts.add(name=said["name"], description=said["description"], owner=owner, now=now)

    try:
        transactions.run(work)
    except BadAccount as error:
        form.add_error("name", f"{str(error).capitalize()}.")
        return False
    messages.success(request, f"The service account {said['name']} is there. Give it a key.")
    return True


def _accounts(now: datetime, model_admin: Any) -> list[dict[str, Any]]:
    accounts = list(ServiceAccount.objects.select_related("owner").order_by("disabled_at", "name")[:SHOWN])
    keys: dict[int, list[ApiKey]] = defaultdict(list)
    rows = ApiKey.objects.filter(service_account__in=accounts).defer("key_hash", "former_hash").order_by("-id")
    for key in rows[: SHOWN * KEYS_SHOWN]:
        keys[key.service_account_id or 0].append(key)
    for account in accounts:
        for key in keys[account.pk]:
            key.service_account = account
        model_admin.furnish(keys[account.pk][:KEYS_SHOWN], now=now)
    return [
        {
            "row": account,
            "owner": account.owner.username if account.owner else "",
            "keys": keys[account.pk][:KEYS_SHOWN],
            "count": len(keys[account.pk]),
            "used_at": max((key.last_used_at for key in keys[account.pk] if key.last_used_at), default=None),
        }
        for account in accounts
    ]


def _back() -> HttpResponse:
    return HttpResponseRedirect(reverse("admin:contacts_apikey_accounts"))
