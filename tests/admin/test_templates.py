"""The pages of templates: the gallery, the editor and what it asks of the server, whatever is posted to it."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from django.urls import reverse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contacts import clock
from delivery.authoring import seeds, templates
from delivery.authoring.blocks import starters as blocks_starters
from delivery.models import StaffNotice, Template, TemplateVersion
from delivery.pages.editor import draft as editor_draft
from tests.inhabited.people import settle

PREVIEW = "/admin/delivery/template/preview/"


def page(name: str, *args: Any) -> str:
    return reverse(f"admin:delivery_template_{name}", args=args)


def draft(**changes: Any) -> dict[str, Any]:
    made = editor_draft.of_starter(blocks_starters.starter("welcome"), channel="email", kind="message", code="")
    return {**copy.deepcopy(made), "name": "Hello", **changes}


def post(client, url: str, body: Any) -> Any:
    return client.post(url, body if isinstance(body, bytes) else json.dumps(body), content_type="application/json")


def made(client, **changes: Any) -> Template:
    answer = post(client, page("save_new"), {"draft": draft(**changes)})
    assert answer.status_code == 200, answer.json()
    return Template.objects.select_related("live_version").get(name=changes.get("name", "Hello"))


def opened(client, template: Template) -> dict[str, Any]:
    return client.get(page("change", template.pk)).context["data"]["draft"]


def places(answer) -> list[str]:
    return [fault["place"] for fault in answer.json()["faults"]]


# -- the gallery and the list ------------------------------------------------------------------------------------------


def test_the_gallery_shows_the_mail_of_every_starter(maya):
    shown = maya.get(page("add"))
    assert shown.content.decode().count("<iframe sandbox") == len(blocks_starters.STARTERS)
    assert "Welcome, Ana" in shown.content.decode()
    for each in blocks_starters.STARTERS:
        opened = maya.get(page("add"), {"begin": each.key}).context["data"]
        assert opened["draft"]["words"][""]["source"]["body"] == list(each.blocks)
    assert maya.get(page("add"), {"begin": "castle"}).status_code == 404


@pytest.mark.parametrize("begin", ["blank", "mjml", "html", "sms", "push", "layout", "layout-html", "partial"])
def test_every_way_to_begin_can_be_previewed_and_saved_at_once(maya, begin):
    begun = {**maya.get(page("add"), {"begin": begin}).context["data"]["draft"], "name": f"From {begin}"}
    begun["words"][""]["subject"] = begun["words"][""]["subject"] or "A subject"
    seen = post(maya, PREVIEW, {"draft": begun}).json()
    assert (seen["problem"], seen["faults"]) == ("", [])
    assert seen["html"] or seen["text"]
    answer = post(maya, page("save_new"), {"draft": begun})
    assert answer.status_code == 200, answer.json()
    template = Template.objects.get(slug=f"from-{begin}")
    assert (template.channel, template.kind) == (begun["channel"], begun["kind"])


def test_an_empty_list_says_what_a_template_is(client, admin_user):
    client.force_login(admin_user)
    assert "A template is what a message says" in client.get(page("changelist")).content.decode()


def test_the_list_tells_channels_and_kinds_apart(maya):
    made(maya, name="A frame", kind="layout", slug="frame", words=layout_words())
    shown = maya.get(page("changelist")).content.decode()
    assert "Email, layout" in shown
    assert [row.slug for row in maya.get(page("changelist"), {"kind": "layout"}).context["cl"].result_list] == ["frame"]


def layout_words() -> dict[str, Any]:
    body = editor_draft.LAYOUTS["mjml"]
    source = {"kind": "mjml", "body": body, "layout": None}
    return {"": {"subject": "", "preheader": "", "text": "", "source": source}}


# -- saving ------------------------------------------------------------------------------------------------------------


def test_a_template_made_of_a_starter_comes_back_as_it_was_written(maya):
    template = made(maya)
    assert (template.slug, template.live_version.number, template.live_version.saved_by) == ("hello", 1, "maya")
    assert "Welcome, {{first_name}}" in template.live_version.html
    again = opened(maya, template)
    assert again["words"][""]["source"]["body"] == draft()["words"][""]["source"]["body"]
    answer = post(maya, page("save", template.pk), {"draft": again}).json()
    assert (answer["number"], answer["changed"]) == (1, False)


def test_saving_other_words_makes_the_next_version_in_every_language(maya):
    template = made(maya)
    again = opened(maya, template)
    again["words"]["de"] = copy.deepcopy(again["words"][""]) | {"subject": "Willkommen"}
    again["words"]["de"]["source"]["body"][2]["text"] = "Willkommen"
    answer = post(maya, page("save", template.pk), {"draft": again}).json()
    assert (answer["number"], answer["changed"], answer["version"]["by"]) == (2, True, "maya")
    version = TemplateVersion.objects.get(template=template, number=2)
    assert version.locales["de"]["subject"] == "Willkommen"
    assert "Willkommen" in version.locales["de"]["html"]
    assert opened(maya, template)["words"]["de"]["source"]["body"][2]["text"] == "Willkommen"


def test_who_saves_on_an_old_version_is_told_what_differs_and_nothing_is_lost(maya):
    template = made(maya)
    mine, theirs = opened(maya, template), opened(maya, template)
    theirs["words"][""]["subject"] = "Theirs"
    mine["words"][""]["subject"] = "Mine"
    assert post(maya, page("save", template.pk), {"draft": theirs}).status_code == 200
    answer = post(maya, page("save", template.pk), {"draft": mine})
    assert answer.status_code == 409
    conflict = answer.json()["conflict"]
    assert (conflict["number"], conflict["by"]) == (2, "maya")
    changes = [(row["op"], row["text"]) for row in conflict["diff"] if row["op"] in ("gone", "new")]
    assert changes == [("gone", "Subject: Theirs"), ("new", "Subject: Mine")]
    assert conflict["draft"]["words"][""]["subject"] == "Theirs"
    assert TemplateVersion.objects.filter(template=template).count() == 2
    assert post(maya, page("save", template.pk), {"draft": {**mine, "base": 2}}).json()["number"] == 3


def test_a_new_template_needs_a_name_and_a_slug_of_its_own(maya):
    made(maya)
    assert places(post(maya, page("save_new"), {"draft": draft()})) == ["slug"]
    assert places(post(maya, page("save_new"), {"draft": draft(slug="hello", name="Other")})) == ["slug"]
    assert "slug" in places(post(maya, page("save_new"), {"draft": draft(slug="No spaces", name="x")}))
    assert places(post(maya, page("save_new"), {"draft": draft(name="  ", slug="fine")})) == ["name"]
    assert Template.objects.filter(name="Hello").count() == 1


def test_what_a_template_is_never_changes(maya):
    template = made(maya)
    again = opened(maya, template)
    assert places(post(maya, page("save", template.pk), {"draft": {**again, "channel": "sms"}})) == ["kind"]
    template.refresh_from_db()
    assert (template.channel, template.live_version.number) == ("email", 1)


def test_a_mistake_is_named_at_the_field_that_it_stands_in(maya):
    wrong = draft()
    wrong["words"][""]["source"]["body"][4]["href"] = "javascript:alert(1)"
    wrong["words"][""]["source"]["body"][5]["columns"][1][0]["text"] = "{{{x}}}"
    answer = post(maya, page("save_new"), {"draft": wrong})
    assert answer.status_code == 400
    assert places(answer) == ["blocks.4.href", "blocks.5.columns.1.0.text"]
    open_ = draft()
    open_["words"]["fr"] = copy.deepcopy(open_["words"][""])
    open_["words"]["fr"]["source"]["body"][3]["text"] = "{{#vip}}"
    answer = post(maya, page("save_new"), {"draft": open_})
    assert [(fault["locale"], fault["place"]) for fault in answer.json()["faults"]] == [("fr", "blocks.3.text")]
    assert not Template.objects.filter(name="Hello").exists()


# -- versions ----------------------------------------------------------------------------------------------------------


def test_versions_are_looked_at_compared_and_restored_as_a_new_one(maya):
    template = made(maya)
    again = opened(maya, template)
    again["words"][""]["source"]["body"][2]["text"] = "Other words"
    post(maya, page("save", template.pk), {"draft": again})
    compared = maya.get(page("version", template.pk, 1), {"with": "2"}).json()["diff"]
    assert {"op": "new", "text": "  text: Other words"} in compared
    assert "Welcome, Ana" in maya.get(page("version", template.pk, 1), {"look": "1"}).json()["html"]
    stale = post(maya, page("restore", template.pk), {"number": 1, "base": 1})
    assert stale.status_code == 409
    answer = post(maya, page("restore", template.pk), {"number": 1, "base": 2}).json()
    assert (answer["number"], answer["changed"]) == (3, True)
    assert opened(maya, template)["words"] == draft()["words"]
    assert [each["number"] for each in maya.get(page("versions", template.pk)).json()["versions"]] == [3, 2, 1]
    assert maya.get(page("version", template.pk, 9)).status_code == 404
    assert maya.get(page("version", template.pk, 1), {"with": "x"}).status_code == 404
    assert post(maya, page("restore", template.pk), {"number": 9, "base": 3}).status_code == 404


def test_a_version_of_before_there_were_blocks_opens_as_html(maya):
    version = templates.save_version(slug="old", name="Old", subject="S", html="<p>{{x}}</p>", now=clock.now())
    source = opened(maya, TemplateVersion.objects.get(pk=version).template)["words"][""]["source"]
    assert source == {"kind": "html", "body": "<p>{{x}}</p>", "layout": None}


# -- the preview -------------------------------------------------------------------------------------------------------


def test_a_preview_is_what_that_contact_would_get_in_that_language(maya, town):
    wanted = draft()
    wanted["words"]["de"] = copy.deepcopy(wanted["words"][""]) | {"subject": "Hallo {{first_name}}"}
    seen = post(maya, PREVIEW, {"draft": wanted, "locale": "de", "as": town.ana.email}).json()
    assert seen["subject"] == f"Hallo {town.ana.attributes['first_name']}"
    assert seen["as"] == str(town.ana)
    assert "<mjml>" in seen["mjml"]
    assert "Unsubscribe" in seen["html"] or "abmelden" in seen["html"].lower()
    nobody = post(maya, PREVIEW, {"draft": wanted, "as": "nobody@example.com"}).json()
    assert "there is no such contact" in nobody["as"]


def test_the_footer_of_a_marketing_mail_cannot_be_left_out(maya):
    wanted = draft()
    wanted["words"][""]["source"]["body"] = [{"type": "heading", "text": "Only this"}]
    seen = post(maya, PREVIEW, {"draft": wanted}).json()
    assert "/u/example" in seen["html"]
    assert "/u/example" in seen["text"]


def test_a_contacts_markup_is_text_in_the_preview(maya, town):
    hostile = settle(clock.now(), 1)[0] if town.mallory is None else town.mallory
    hostile.attributes = {"first_name": "<script>window.broken=1</script>", "company": '"><img src=x onerror=1>'}
    hostile.save()
    seen = post(maya, PREVIEW, {"draft": draft(), "as": hostile.email}).json()
    assert "<script>window" not in seen["html"]
    assert "&lt;script&gt;window.broken=1" in seen["html"]
    assert "<img src=x" not in seen["html"]


def test_what_readers_would_mind_leads_to_its_block(maya):
    wanted = draft()
    body = wanted["words"][""]["source"]["body"]
    body[4]["href"] = ""
    body[3]["text"] = "Hello {{fevourite_colour}}"
    wanted["words"][""]["preheader"] = ""
    found = post(maya, PREVIEW, {"draft": wanted}).json()["findings"]
    tones = [each["tone"] for each in found]
    assert tones == sorted(tones, key=["bad", "warn", "info"].index)
    led = {each["code"]: each["place"] for each in found}
    assert led["unfinished"] == "blocks.4.href"
    assert led["unknown_tag"] == "blocks.3.text"
    assert led["no_preheader"] == "preheader"


def test_contacts_are_found_by_how_their_address_begins_or_by_any_identifier(maya, town):
    found = maya.get(page("contacts"), {"q": town.ana.email[:6]}).json()["contacts"]
    assert town.ana.email in [each["id"] for each in found]
    assert maya.get(page("contacts"), {"q": town.ana.email.upper()}).json()["contacts"][0]["id"] == town.ana.email
    assert maya.get(page("contacts"), {"q": "\x00"}).json()["contacts"] == []


# -- tests and seeds ---------------------------------------------------------------------------------------------------


def test_a_test_goes_to_colleagues_alone_with_the_words_as_they_stand(maya, town, settings):
    settings.EMAIL_PROVIDER = "sendgrid"
    answer = post(maya, page("test"), {"draft": draft(), "as": town.ana.email, "to": ["maya@example.com"]})
    assert answer.status_code == 200, answer.json()
    notice = StaffNotice.objects.latest("id")
    assert notice.to_address == "maya@example.com"
    assert notice.subject == f"[Test] Welcome, {town.ana.attributes['first_name']}"
    assert not Template.objects.filter(name="Hello").exists()
    for to in (["stranger@elsewhere.example"], [], ["nonsense"]):
        assert post(maya, page("test"), {"draft": draft(), "to": to}).json()["problem"]
    assert post(maya, page("test"), {"draft": draft(), "to": "maya@example.com"}).status_code == 400


def test_the_live_version_goes_to_the_seed_list(maya):
    template = made(maya)
    assert "empty" in post(maya, page("seeds", template.pk), {}).json()["problem"]
    seeds.keep(email="seed@example.com", now=clock.now())
    assert "1 mails" in post(maya, page("seeds", template.pk), {}).json()["said"]
    assert StaffNotice.objects.latest("id").to_address == "seed@example.com"


# -- who may what, and what may be posted ------------------------------------------------------------------------------


def test_who_may_only_look_looks_and_saves_nothing(maya, staff):
    template = made(maya)
    viewer = staff("delivery.view_template")
    shown = viewer.get(page("change", template.pk))
    assert shown.context["data"]["may_save"] is False
    assert "data-save>" not in shown.content.decode()
    assert "ed-person" in shown.content.decode() and 'data-preview="person"' not in shown.content.decode()
    assert post(viewer, PREVIEW, {"draft": draft()}).status_code == 200
    again = opened(viewer, template)
    for url, body in (
        (page("save", template.pk), {"draft": again}),
        (page("save_new"), {"draft": draft(name="Mine")}),
        (page("restore", template.pk), {"number": 1, "base": 1}),
        (page("test"), {"draft": draft(), "to": ["maya@example.com"]}),
        (page("seeds", template.pk), {}),
        (page("links"), {"draft": draft()}),
    ):
        assert post(viewer, url, body).status_code == 403, url
    assert viewer.get(page("add")).status_code == 403
    assert viewer.get(page("contacts"), {"q": "a"}).status_code == 403
    nobody = staff()
    assert post(nobody, PREVIEW, {"draft": draft()}).status_code == 403
    assert nobody.get(page("version", template.pk, 1)).status_code == 403


def test_no_deed_is_done_by_following_a_link(maya):
    template = made(maya)
    for url in (PREVIEW, page("save", template.pk), page("restore", template.pk), page("test"), page("links")):
        assert maya.get(url).status_code == 403


URLS = ["preview", "save_new", "test", "links", "save", "restore"]


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"null", b"[]", b'"x"', b"\xff\xfe", b'{"draft": null}', b'{"draft": {"words": {}}}',
        b'{"draft": {"words": {"": {}}, "name": 7}}', b'{"draft": {"words": {"": {"source": {"kind": "blocks"}}}}}',
        b'{"draft": {"words": {"": {"source": {"kind": "blocks", "body": "x"}}}}}',
        b'{"draft": {"words": {"../..": {}, "": {}}}}', b'{"draft": {"words": {"": {"subject": "\\u0000"}}}}',
        b'{"draft": {"words": {"": {}}, "options": {"utm": "yes"}}}', b"[" * 5000, b'{"a": 1e999}',
        b'{"draft": {"words": {"": {"source": {"kind": "html", "body": {"a": 1}}}}}}',
        b'{"number": 1.5, "base": 1}', b'{"number": true, "base": 1}', b'{"number": 99999999999999999999, "base": 1}',
    ],
)  # fmt: skip
def test_whatever_is_posted_is_refused_with_its_place(maya, body):
    template = made(maya)
    for name in URLS:
        url = page(name, template.pk) if name in ("save", "restore") else page(name)
        answer = post(maya, url, body)
        assert answer.status_code == 400, (name, body)
        assert answer.json()["faults"], (name, body)
    assert TemplateVersion.objects.filter(template=template).count() == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_draft_that_was_tampered_with_is_a_failure_of_ours(maya, data):
    """One value somewhere in a good draft is replaced by any JSON."""
    wanted = draft(slug=f"t-{data.draw(st.uuids())}")
    here: Any = wanted
    for _ in range(data.draw(st.integers(1, 8))):
        key = data.draw(st.sampled_from(sorted(here) if isinstance(here, dict) else range(len(here))))
        inside = here[key]
        if not isinstance(inside, dict | list) or not inside:
            break
        parent, here, last = here, inside, key
    else:
        here, key = parent, last
    here[key] = data.draw(JSON)
    for url in (PREVIEW, page("save_new")):
        answer = post(maya, url, {"draft": wanted})
        assert answer.status_code in (200, 400), answer.content
