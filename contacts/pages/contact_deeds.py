"""Small deeds on the page of a contact: tags and lists, added and removed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from contacts import transactions
from contacts.audiences import lists, tags
from contacts.audiences.lists import Place
from contacts.audiences.tags import Tagging
from contacts.models import Contact
from contacts.upserting import name_fault

SOURCE = "admin"
OFFERED = 200


def page_of(contact_id: int) -> str:
    return reverse("admin:contacts_contact_change", args=[contact_id])


def choices(contact_id: int) -> dict[str, Any]:
    """Tags and lists that the contact does not have yet, as far as they are offered."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT name FROM tags WHERE NOT EXISTS (
                   SELECT FROM contact_tags c WHERE c.tag_id = tags.id AND c.contact_id = %s) ORDER BY name LIMIT %s
            """,
            [contact_id, OFFERED],
        )
        other_tags = [name for (name,) in cursor.fetchall()]
        cursor.execute(
            """
            SELECT slug, name FROM lists WHERE NOT EXISTS (
                   SELECT FROM list_members m WHERE m.list_id = lists.id AND m.contact_id = %s) ORDER BY name LIMIT %s
            """,
            [contact_id, OFFERED],
        )
        return {"other_tags": other_tags, "other_lists": cursor.fetchall()}


def audience(request: HttpRequest, contact: Contact) -> HttpResponse:
    """POST one of add_tag, remove_tag, join, leave -> back to the page, which says what was done."""
    said = request.POST
    for deed in (_add_tag, _remove_tag, _join, _leave):
        value = said.get(deed.__name__.removeprefix("_"), "").strip()
        if value and "\x00" not in value:
            deed(request, contact.pk, value)
            break
    else:
        messages.warning(request, "Nothing was chosen.")
    return HttpResponseRedirect(f"{page_of(contact.pk)}#audience")


def _add_tag(request: HttpRequest, contact_id: int, tag: str) -> None:
    if wrong := name_fault(tag):
        messages.error(request, f"A tag {wrong.msg}.")
        return

    def work(now: datetime) -> list[Tagging]:
        return tags.add_tags([Tagging(contact_id, tag, SOURCE)], now=now)

    _tell(request, bool(transactions.run(work)), f"Tagged “{tag}”.", f"“{tag}” was there already.")


def _remove_tag(request: HttpRequest, contact_id: int, tag: str) -> None:
    def work(now: datetime) -> list[Tagging]:
        return tags.remove_tags([Tagging(contact_id, tag, SOURCE)], now=now)

    _tell(request, bool(transactions.run(work)), f"“{tag}” is removed.", f"“{tag}” was not there.")


def _join(request: HttpRequest, contact_id: int, slug: str) -> None:
    def work(now: datetime) -> list[Place]:
        return lists.join([Place(contact_id, slug, SOURCE)], now=now)

    _tell(
        request, bool(transactions.run(work)), f"Put into “{slug}”.", "Nothing changed: there already, or no such list."
    )


def _leave(request: HttpRequest, contact_id: int, slug: str) -> None:
    def work(now: datetime) -> list[Place]:
        return lists.leave([Place(contact_id, slug, SOURCE)], now=now)

    _tell(request, bool(transactions.run(work)), f"Taken out of “{slug}”.", f"They were not in “{slug}”.")


def _tell(request: HttpRequest, done: bool, yes: str, no: str) -> None:
    if done:
        messages.success(request, yes)
    else:
        messages.warning(request, no)
