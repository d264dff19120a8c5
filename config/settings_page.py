"""The settings page: what is set, with its value and where it comes from. Nothing is changed here: settings come from
the environment, and what is set in the admin has a page of its own."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import time
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import Group as People
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse

from config import roles
from config.settings_shown import GROUPS, Group, Shown
from contacts.durations import BadDuration, parse_duration

KEEPERS = ("contacts.view_apikey", "delivery.view_provider")  # who keeps the house, and who keeps the post going
MAY_SEE = (*KEEPERS, "workflows.publish_workflow")  # whoever publishes has to know what holds for everybody
OF_THE_MACHINE = "machine"
ENVIRONMENT, FILE, DEFAULT = "Environment", "File", "Default"
WORDS = {
    ("DEFAULT_TRACKING_CONSENT", "denied"): "are not followed",
    ("DEFAULT_TRACKING_CONSENT", "granted"): "are followed",
    ("MARKETING_CONSENT", "opt_out"): "no refusal (opt-out)",
    ("MARKETING_CONSENT", "opt_in"): "a consent (opt-in)",
    ("EMAIL_PROVIDER", "sandbox"): "sandbox: nothing leaves this machine",
}


@dataclass(frozen=True)
class Row:
    """`state`: value · none · set. A secret is "set" or "none", and its value stays where it is."""

    name: str
    label: str
    value: str
    state: str
    source: str
    note: str = ""


@dataclass(frozen=True)
class Link:
    label: str
    words: str
    url: str


@dataclass(frozen=True)
class Section:
    key: str
    title: str
    about: str
    rows: Sequence[Row]
    links: Sequence[Link]


def may_see(request: HttpRequest) -> bool:
    return any(request.user.has_perm(permission) for permission in MAY_SEE)


def view(request: HttpRequest) -> HttpResponse:
    if not may_see(request):
        raise PermissionDenied
    keeps = any(request.user.has_perm(permission) for permission in KEEPERS)
    context = {
        **admin.site.each_context(request),
        "title": "Settings",
        "crumbs": [("Settings", "")],
        "sections": [section(group, request) for group in GROUPS if keeps or group.key != OF_THE_MACHINE],
        "secrets": secrets_of_providers() if keeps else (),
        "roles": _roles(),
        "may_see_users": request.user.has_perm("auth.view_user"),
        "may_see_runbook": request.user.has_perm("analytics.view_alert"),
    }
    return TemplateResponse(request, "admin/config/settings.html", context)


def section(group: Group, request: HttpRequest) -> Section:
    return Section(
        group.key,
        group.title,
        group.about,
        [row(shown) for shown in group.shown],
        [
            Link(each.label, each.words, reverse(each.url_name))
            for each in group.elsewhere
            if request.user.has_perm(each.permission)
        ],
    )


def row(shown: Shown) -> Row:
    value = getattr(settings, shown.name)
    source = source_of(shown.name)
    if shown.is_secret:
        state, told = ("set", "set") if value else ("none", shown.none)
    else:
        told = _told(shown, value)
        state = "value" if told else "none"
    return Row(shown.name, shown.label, told or shown.none, state, source, shown.note)


def source_of(name: str) -> str:
    """As `config.env.text` reads it."""
    if name in os.environ:
        return ENVIRONMENT
    return FILE if os.environ.get(f"{name}_FILE") else DEFAULT


def _told(shown: Shown, value: Any) -> str:
    """Empty: nothing is set."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        if value == 0 and shown.none == "never":
            return ""
        return f"{value:,g}" + (("" if shown.unit in "%×" else " ") + shown.unit if shown.unit else "")
    if isinstance(value, time):
        return f"{value:%H:%M} {settings.DEFAULT_TIMEZONE}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {said}" for name, said in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    text = str(value or "")
    return WORDS.get((shown.name, text)) or duration_in_words(text) or text


def duration_in_words(text: str) -> str:
    """`P30D` -> `30 days`; empty for what is no duration."""
    if not text.startswith("P"):
        return ""
    try:
        said = parse_duration(text)
    except BadDuration:
        return ""
    seconds = int(said.total().total_seconds())
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")):
        if seconds and seconds % size == 0:
            count = seconds // size
            return f"{count:,} {unit}{'' if count == 1 else 's'}"
    return ""


def secrets_of_providers() -> list[Row]:
    """What the chosen providers need and are believed by: only whether each is set."""
    from delivery import providers
    from delivery.providers.base import setting

    names: dict[str, str] = {}
    for channel in providers.CHANNELS:
        for chosen in providers.names(channel):
            if entry := providers.entries().get(chosen):
                names |= dict.fromkeys(entry.needed, f"{chosen} needs it to send")
                names |= dict.fromkeys(entry.advised, f"{chosen} is believed by it")
    return [
        Row(name, label, "set" if (known := setting(name)) else "not set", "set" if known else "none", source_of(name))
        for name, label in names.items()
    ]


def _roles() -> list[tuple[str, str, int]]:
    """Each role, what it can, and how many people who may log in have it."""
    active = Count("user", filter=Q(user__is_active=True, user__is_staff=True))
    counted = dict(People.objects.annotate(people=active).values_list("name", "people"))
    return [(role.name, f"{role.can[0].upper()}{role.can[1:]}", counted.get(role.name, 0)) for role in roles.ROLES]
