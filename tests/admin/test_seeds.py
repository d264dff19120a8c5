"""The page of the seed list: listed, added and removed, by whoever may."""

from __future__ import annotations

import pytest
from django.urls import reverse

from contacts import clock
from delivery.authoring import seeds
from delivery.models import SeedAddress

LIST, ADD = "admin:delivery_seedaddress_changelist", "admin:delivery_seedaddress_add"


def keep(email: str = "seed@gmail.example", **more: str) -> SeedAddress:
    return seeds.keep(email=email, now=clock.now(), **more)


def page(name: str, row: SeedAddress) -> str:
    return reverse(f"admin:delivery_seedaddress_{name}", args=[row.pk])


def test_an_empty_list_says_what_it_is_for(maya):
    shown = maya.get(reverse(LIST)).content.decode()
    assert "Nobody is on the seed list" in shown
    assert reverse(LIST) in maya.get(reverse("admin:index")).content.decode()  # it stands in the menu


def test_an_address_is_added_with_its_language_and_its_note(maya):
    answer = maya.post(reverse(ADD), {"email": " Seed@Gmail.example ", "locale": "de-at", "note": "Gmail"}, follow=True)
    assert "seed@gmail.example is on the seed list." in answer.content.decode()
    row = SeedAddress.objects.get()
    assert (row.email, row.locale, row.note) == ("seed@gmail.example", "de-AT", "Gmail")
    shown = maya.get(reverse(LIST)).content.decode()
    assert "de-AT" in shown and "Gmail" in shown
    assert "de-AT" in maya.get(page("change", row)).content.decode()


def test_an_address_that_is_there_already_gets_the_new_words(maya):
    keep(note="old")
    maya.post(reverse(ADD), {"email": "seed@gmail.example", "note": "new"})
    assert SeedAddress.objects.get().note == "new"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"email": "nonsense"}, "Expected an e-mail address."),
        ({"email": ""}, "required"),
        ({"email": "a@b.example", "locale": "not a language"}, "Expected the tag of a language"),
        ({"email": "a@b.example", "note": "x" * 201}, "at most 200"),
    ],
)
def test_what_cannot_be_added_is_said_at_its_field_and_keeps_the_words(maya, given, said):
    answer = maya.post(reverse(ADD), given)
    assert answer.status_code == 200 and said in answer.content.decode()
    assert (given["email"] or "email") in answer.content.decode()
    assert not SeedAddress.objects.exists()


def test_an_address_is_taken_off_the_list_by_itself_or_with_others(maya):
    first, second, third = keep("a@x.example"), keep("b@x.example"), keep("c@x.example")
    answer = maya.post(page("remove", first), follow=True)
    assert "a@x.example gets no more mails" in answer.content.decode()
    assert maya.post(page("remove", first)).status_code == 404
    chosen = {"action": "remove_selected", "_selected_action": [second.pk, third.pk]}
    assert "Taken off the list: 2." in maya.post(reverse(LIST), chosen, follow=True).content.decode()
    assert not SeedAddress.objects.exists()


def test_each_deed_asks_for_its_own_permission(staff):
    row = keep()
    viewer = staff("delivery.view_seedaddress")
    shown = viewer.get(page("change", row)).content.decode()
    assert row.email in shown and page("remove", row) not in shown
    assert viewer.get(reverse(LIST)).status_code == 200
    assert viewer.get(reverse(ADD)).status_code == 403
    assert viewer.post(reverse(ADD), {"email": "b@x.example"}).status_code == 403
    assert viewer.post(page("remove", row)).status_code == 403
    viewer.post(reverse(LIST), {"action": "remove_selected", "_selected_action": [row.pk]})
    assert SeedAddress.objects.get() == row
    nobody = staff("delivery.add_seedaddress", "delivery.delete_seedaddress")
    assert nobody.get(page("remove", row)).status_code == 403  # following a link does nothing
    assert nobody.post(reverse(ADD), {"email": "b@x.example"}).status_code == 302
    assert nobody.post(page("remove", row)).status_code == 302
    assert list(SeedAddress.objects.values_list("email", flat=True)) == ["b@x.example"]
    assert staff().get(reverse(LIST)).status_code == 403
