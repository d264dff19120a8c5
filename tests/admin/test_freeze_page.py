"""The page Freeze: what it says, its buttons, the line above every page, and who may."""

from __future__ import annotations

import pytest
from django.urls import reverse

from analytics.pages import freeze_line
from contacts import clock, freezing, transactions
from contacts.models import Freeze
from delivery.models import OutboxEntry, SendLogEntry
from tests.delivery import making

PAGE = reverse("admin:contacts_freeze_changelist")
FREEZE, RELEASE = reverse("admin:contacts_freeze_freeze"), reverse("admin:contacts_freeze_release")


def text(client, path: str = PAGE) -> str:
    return client.get(path).content.decode()


def test_everything_is_frozen_and_released_from_the_page_and_every_page_says_so(maya, town):
    assert "Everything goes on" in text(maya)
    maya.post(FREEZE, {"reason": "the wrong template"})
    (standing,) = freezing.standing()
    assert (standing.reason, standing.began_by) == ("the wrong template", town.superuser.get_username())
    for path in (PAGE, reverse("admin:index"), reverse("admin:contacts_contact_changelist")):
        assert "Everything is frozen: the wrong template." in text(maya, path)
    maya.post(RELEASE, {"keep": "all"})
    page = text(maya)
    assert not freezing.is_frozen() and "Everything goes on" in page and "the wrong template" in page


def test_the_page_says_what_would_go_on_with_ids_and_without_addresses(maya):
    message = making.message(making.contact("secret.person@example.com").pk)
    transactions.run(lambda now: freezing.freeze(reason="looking", now=now))
    page = text(maya)
    assert str(message.public_id) in page and "Messages to be sent" in page
    assert "secret.person" not in page


@pytest.mark.parametrize(("keep", "left"), [("all", 2), ("day", 1), ("none", 0)])
def test_what_was_queued_before_may_be_closed_unsent(maya, keep, left):
    OutboxEntry.objects.all().delete()
    old, young = making.message(), making.message()
    making.change("UPDATE messages SET created_at = created_at - interval '2 days' WHERE id = %s", [old.pk])
    making.change("UPDATE messages SET created_at = created_at - interval '2 hours' WHERE id = %s", [young.pk])
    transactions.run(lambda now: freezing.freeze(reason="restored", now=now))
    maya.post(RELEASE, {"keep": keep})
    assert OutboxEntry.objects.count() == left
    dropped = SendLogEntry.objects.filter(kind="cancelled", reason="restored").values_list("message_id", flat=True)
    assert sorted(dropped) == sorted([old.pk, young.pk][: 2 - left])
    assert not freezing.is_frozen()


def test_a_journey_is_frozen_and_released_from_the_page(maya, town):
    slug = town.journey.slug
    maya.post(FREEZE, {"journey": slug, "reason": "the wrong people"})
    assert [each.workflow_id for each in freezing.standing()] == [town.journey.pk]
    assert f"Release {town.journey.name}" in text(maya) and "Everything goes on" in text(maya)
    maya.post(RELEASE, {"journey": slug})
    town.journey.refresh_from_db()
    assert freezing.standing() == [] and town.journey.status == "live"


def test_a_freeze_needs_a_reason(maya):
    maya.post(FREEZE, {"reason": "  "})
    assert not Freeze.objects.exists()


def test_who_may_look_sees_no_button_and_can_do_nothing(staff, town):
    looker, stranger = staff("contacts.view_freeze"), staff("contacts.view_contact")
    assert looker.get(PAGE).status_code == 200 and FREEZE not in text(looker)
    assert stranger.get(PAGE).status_code == 403
    for path in (FREEZE, RELEASE):
        assert looker.post(path, {"reason": "x", "keep": "all"}).status_code == 403
    transactions.run(lambda now: freezing.freeze(reason="look here", now=now))
    freeze_line.look()
    said = text(stranger, reverse("admin:contacts_contact_changelist"))
    assert "Everything is frozen: look here." in said and PAGE not in said


def test_nothing_is_frozen_by_following_a_link(maya):
    assert maya.get(FREEZE).status_code == 403 and maya.get(RELEASE).status_code == 403


def test_the_line_is_asked_for_once_in_a_while(maya, django_assert_num_queries):
    freeze_line.look()
    with django_assert_num_queries(0):
        assert freeze_line.reason() == ""
    assert clock.now()
