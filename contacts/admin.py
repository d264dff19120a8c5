"""The pages of the ground floor, and of what belongs to nobody: users, groups, schedules."""

from django.contrib import admin

from contacts.pages import (
    audit,
    contacts,
    events,
    imports,
    keys,
    lists,
    merges,
    people,
    privacy,
    quarantine,
    segments,
    tags,
)

__all__ = [
    "audit",
    "contacts",
    "events",
    "imports",
    "keys",
    "lists",
    "merges",
    "people",
    "privacy",
    "quarantine",
    "segments",
    "tags",
]

admin.site.index_title = "Start"
