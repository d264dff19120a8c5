"""A list with nothing in it teaches: what the thing is, one button, and where a sample is; each only to whoever may."""

from __future__ import annotations

import re

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client
from django.urls import NoReverseMatch, reverse

from contacts.pages.changelists import CarillonAdmin

pytestmark = pytest.mark.django_db
NEVER_EMPTY = {"user", "group", "provider", "stagelabel"}


def lists() -> list[str]:
    found = []
    for model, page in admin.site._registry.items():
        if isinstance(page, CarillonAdmin) and page.empty and model._meta.model_name not in NEVER_EMPTY:
            found.append(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    return sorted(found)


def nothing(page: str) -> str:
    """What stands where the rows would."""
    return page.split('class="cl-nothing"')[1].split('id="changelist-filter"', maxsplit=1)[0]


@pytest.fixture
def maya(client) -> Client:
    client.force_login(User.objects.create_superuser("maya"))
    return client


def test_every_empty_list_says_what_it_is_and_has_one_button_and_no_address_that_fails(maya):
    seen = 0
    for name in lists():
        page = maya.get(reverse(name)).content.decode()
        if 'class="cl-nothing"' not in page:
            continue  # a page of its own
        shown = nothing(page)
        assert re.search(r"<h2>[^<]+</h2>\s*<p>[^<]{30,}</p>", shown), name
        assert shown.count('class="cl-button cl-primary"') == 1, name
        for address in re.findall(r'<a class="cl-(?:button|link)[^"]*" href="([^"#?]+)', shown):
            assert maya.get(address).status_code == 200, (name, address)
        seen += 1
    assert seen >= 20


def test_the_button_and_the_sample_are_for_whoever_may_use_them(staff):
    page = reverse("admin:workflows_workflow_changelist")
    reader, writer = staff("workflows.view_workflow"), staff("workflows.view_workflow", "workflows.add_workflow")
    gallery = f"{reverse('admin:workflows_workflow_add')}#gallery"
    assert gallery in nothing(writer.get(page).content.decode())
    assert gallery not in nothing(reader.get(page).content.decode())
    assert "cl-primary" not in nothing(reader.get(page).content.decode())


def test_a_search_that_finds_nothing_offers_everything_again_and_no_lesson(maya):
    shown = nothing(maya.get(reverse("admin:workflows_workflow_changelist"), {"q": "nowhere"}).content.decode())
    assert "Nothing found" in shown and 'href="?"' in shown
    assert "#gallery" not in shown


def test_every_sample_of_an_empty_list_leads_somewhere():
    for page in admin.site._registry.values():
        empty = getattr(page, "empty", None)
        for each in (empty.deed, empty.sample) if empty else ():
            try:
                assert each is None or isinstance(each, str) or each.url
            except NoReverseMatch:
                pytest.fail(f"{page}: {each}")
