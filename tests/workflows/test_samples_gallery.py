"""The gallery: samples that work at once, each as a draft of one's own."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from contacts.models import List, Segment
from workflows import gallery, publishing
from workflows.definition.validation import validate
from workflows.models import JourneyTests, Workflow

pytestmark = pytest.mark.django_db

ADD = "/admin/workflows/workflow/add/"


@pytest.fixture
def lead(client) -> Client:
    client.force_login(User.objects.create_superuser("lead"))
    return client


def use(client: Client, key: str) -> Workflow:
    answer = client.post(ADD, {"begin": "sample", "sample": key})
    assert answer.status_code == 302, answer.content
    return Workflow.objects.latest("id")


def test_the_eight_that_everybody_asks_for_come_first():
    keys = [sample.key for sample in gallery.samples()]
    assert keys[:8] == list(gallery.ORDER) and len(gallery.ORDER) == 8 and len(set(keys)) == len(keys)


@pytest.mark.parametrize("key", [sample.key for sample in gallery.samples()])
def test_a_sample_that_is_used_has_no_problems_its_tests_and_can_be_published(lead, key, now):
    workflow = use(lead, key)
    assert validate(workflow.draft) == []
    assert JourneyTests.objects.filter(workflow=workflow).exists()
    assert publishing.publish(slug=workflow.slug, by="lead", now=now) == 1


def test_a_second_use_is_another_journey_whose_conditions_ask_about_itself(lead):
    use(lead, "welcome-series")
    second = use(lead, "welcome-series")
    assert second.slug == "welcome-series-2"
    arm = second.draft["steps"]["opened"]["config"]["arms"][0]["if"]
    assert arm["message"] == {"workflow": "welcome-series-2"}


def test_who_may_not_make_segments_and_lists_gets_the_draft_and_is_told(db):
    user = User.objects.create_user("writer", is_staff=True)
    for name in ("view_workflow", "change_workflow", "add_workflow"):
        user.user_permissions.add(Permission.objects.get(content_type__app_label="workflows", codename=name))
    client = Client()
    client.force_login(user)
    workflow = use(client, "re-permission")
    assert not Segment.objects.exists() and not List.objects.exists()
    assert {problem.code for problem in validate(workflow.draft)} == {"ref_missing"}
    told = client.get(reverse("admin:workflows_workflow_change", args=[workflow.pk])).content.decode()
    assert "you may not make" in told


def test_what_is_there_already_stays_as_it_is(lead):
    use(lead, "re-permission")
    Segment.objects.update(name="Ours")
    use(lead, "re-permission")
    assert [segment.name for segment in Segment.objects.all()] == ["Ours"] and List.objects.count() == 1


def test_the_page_has_a_card_with_its_map_and_a_chip_for_every_category(lead):
    page = lead.get(ADD).content.decode()
    for sample in gallery.samples():
        assert f'value="{sample.key}"' in page and f'data-category="{sample.category}"' in page
        assert sample.description.replace("’", "&#x27;") in page or sample.description in page
    assert page.count('class="jb-miniature"') == len(gallery.samples())


def test_the_map_of_a_sample_is_only_to_look_at(lead):
    preview = lead.get(reverse("admin:workflows_workflow_sample", args=["abandoned-cart"]))
    page = preview.content.decode()
    assert page.count('class="jb-card') == 7 and "jb-plus" not in page and "jb-more" not in page
    assert lead.get(reverse("admin:workflows_workflow_sample", args=["no-such"])).status_code == 404
    assert not Workflow.objects.exists()
