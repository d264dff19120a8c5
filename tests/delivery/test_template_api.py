"""Templates over HTTP."""

import json

import pytest
from django.db import transaction

from contacts import access, clock
from delivery.models import SandboxMail, SeedAddress, StaffNotice, TemplateVersion
from tests.delivery import making

pytestmark = pytest.mark.django_db

WELCOME = {"slug": "welcome", "name": "Welcome", "subject": "Hello", "html": "<p>{{first_name}}</p>", "text": "hi"}


@pytest.fixture
def call(client):
    def send(method, path, body=None, scopes=("workflows:read", "workflows:write")):
        with transaction.atomic():
            key = access.create_key(name="test", kind="secret", scopes=list(scopes), now=clock.now())
        response = client.generic(
            method,
            f"/api/v1/{path.removeprefix('!')}" if path.startswith("!") else f"/api/v1/templates{path}",
            "" if body is None else json.dumps(body),
            content_type="application/json",
            headers={"Authorization": f"Bearer {key}"},
        )
        return response.status_code, response.json() if response.content else None

    return send


def test_a_template_is_live_at_once_and_writing_it_again_makes_the_next_version(call):
    status, body = call("POST", "/", WELCOME)
    assert (status, body["version"], body["html"]) == (201, 1, "<p>{{first_name}}</p>")
    status, body = call("POST", "", {**WELCOME, "subject": "Good day"})
    assert (status, body["version"], body["subject"]) == (200, 2, "Good day")
    status, body = call("PUT", "/welcome/", {"subject": "Third", "html": "<p>3</p>"})
    assert (status, body["version"], body["name"]) == (200, 3, "Welcome")
    assert TemplateVersion.objects.count() == 3
    status, body = call("GET", "/?slug=welcome")
    assert status == 200 and [row["version"] for row in body["results"]] == [3]
    assert call("GET", "/welcome")[1]["subject"] == "Third"


@pytest.mark.parametrize(
    "body", [{}, [], {"slug": "not a slug"}, {**WELCOME, "html": "{{#open}}"}, {**WELCOME, "channel": "fax"}]
)
def test_what_cannot_be_a_template_is_a_clear_error(call, body):
    status, problem = call("POST", "/", body)
    assert status == 400 and problem["errors"]


def test_reading_and_writing_need_their_scopes(call):
    assert call("POST", "/", WELCOME, scopes=["workflows:read"])[0] == 403
    assert call("GET", "/", scopes=["workflows:write"])[0] == 403
    assert call("GET", "/nothing")[0] == 404


SOURCE = {"kind": "html", "body": "<style>p{color:red}</style><p>{{first_name}}</p>", "layout": "frame"}


def test_a_source_is_made_into_html_and_comes_back_with_what_it_was_made_of(call):
    frame = {"slug": "frame", "kind": "layout", "html": "<body>{{{body}}}</body>"}
    assert call("POST", "/", frame)[1]["kind"] == "layout"
    words = {
        **WELCOME,
        "html": "",
        "source": SOURCE,
        "locales": {"de": {"subject": "Hallo"}},
        "options": {"utm": False},
    }
    status, body = call("POST", "/", words)
    assert status == 201 and 'style="color: red;"' in body["html"]
    assert body["source"] == {**SOURCE, "uses": {"frame": 1}}
    assert body["locales"]["de"]["subject"] == "Hallo" and body["options"] == {"utm": False}
    assert [row["slug"] for row in call("GET", "/?kind=layout")[1]["results"]] == ["frame"]


def test_words_with_a_locale_are_one_language_of_the_template(call):
    assert call("POST", "/", {**WELCOME, "locale": "en"})[0] == 201
    german = {"slug": "welcome", "subject": "Hallo", "html": "<p>Tag</p>", "text": "Tag", "locale": "de_at"}
    status, body = call("POST", "/", german)
    assert (status, body["version"], body["subject"], body["name"]) == (200, 2, "Hello", "Welcome")
    assert body["locales"]["de-AT"]["subject"] == "Hallo"
    body = call("PUT", "/welcome", {"subject": "Salut", "html": "<p>Jour</p>", "locale": "fr"})[1]
    assert sorted(body["locales"]) == ["de-AT", "fr"] and body["html"] == WELCOME["html"]
    assert call("POST", "/welcome/preview", {"locale": "de-AT"})[1]["subject"] == "Hallo"
    status, problem = call("POST", "/", {**german, "locale": "not a tag"})
    assert (status, problem["errors"][0]["loc"]) == (400, ["locale"])


def test_writing_again_without_a_name_keeps_it(call):
    call("POST", "/", WELCOME)
    assert call("POST", "/", {"slug": "welcome", "subject": "Good day"})[1]["name"] == "Welcome"


def test_what_is_minded_comes_with_the_template(call):
    status, body = call("POST", "/", {**WELCOME, "html": "<p>x</p><img src='https://x.example/a.png'>"})
    assert status == 201 and "no_alt" in {each["code"] for each in body["checks"]}
    assert call("GET", "/welcome/checks")[1]["checks"] == body["checks"]
    status, body = call("POST", "/welcome/checks", {"subject": "BUY NOW OR NEVER"})
    assert status == 200 and "shouting" in {each["code"] for each in body["checks"]}


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ({"source": "x"}, ["source"]),
        ({"source": {"kind": "mjml", "body": "<mjml>"}}, ["source", "body"]),
        ({"source": SOURCE}, ["source", "layout"]),
        ({"locales": {"de": "x"}}, ["locales", "de"]),
        ({"locales": {"de": {"html": "{{#a}}"}}}, ["locales", "de", "html"]),
        ({"options": {"allow_personal": "x"}}, ["options", "allow_personal"]),
        ({"kind": "letter"}, ["kind"]),
    ],
)
def test_each_fault_is_named_with_its_place(call, body, loc):
    status, problem = call("POST", "/", {**WELCOME, **body})
    assert status == 400 and [each["loc"][: len(loc)] for each in problem["errors"]] == [loc]


def test_versions_are_listed_and_shown(call):
    for subject in ("One", "Two"):
        call("POST", "/", {**WELCOME, "subject": subject})
    status, body = call("GET", "/welcome/versions/")
    assert status == 200 and [row["subject"] for row in body["results"]] == ["Two", "One"]
    status, body = call("GET", "/welcome/versions/1")
    assert (status, body["subject"], body["saved_by"]) == (200, "One", "api:test")
    assert call("GET", "/welcome/versions/3")[0] == call("GET", "/nothing/versions")[0] == 404


def test_older_layouts_are_found_and_made_anew(call):
    call("POST", "/", {"slug": "frame", "kind": "layout", "html": "<b>{{{body}}}</b>"})
    call("POST", "/", {**WELCOME, "html": "", "source": SOURCE})
    call("POST", "/", {"slug": "frame", "html": "<i>{{{body}}}</i>"})
    assert call("GET", "/frame/outdated")[1] == {"templates": ["welcome"]}
    assert call("POST", "/frame/outdated", {}) == (200, {"templates": {"welcome": 2}})
    assert "<i>" in call("GET", "/welcome")[1]["html"] and call("GET", "/frame/outdated/")[1] == {"templates": []}


def test_a_preview_as_an_example_person_as_a_contact_and_of_words_that_are_not_saved(call):
    call("POST", "/", {**WELCOME, "locales": {"de": {"subject": "Hallo"}}})
    status, body = call("GET", "/welcome/preview")
    assert (status, body["subject"], body["contact"]) == (200, "Hello", "an example person")
    assert "<p>Ana</p>" in body["html"] and not body["problem"]
    who = making.contact("ada@example.com", attributes={"first_name": "Ada"}, locale="de")
    scopes = ("workflows:read", "contacts:read")
    for path in (f"/welcome/preview/?contact={who.public_id}", f"/welcome/preview?contact={who.public_id}&locale=de"):
        body = call("GET", path, scopes=scopes)[1]
        assert "<p>Ada</p>" in body["html"] and (body["subject"], body["language"]) == ("Hallo", "de")
    given = {"contact": str(who.public_id), "html": "<i>{{trigger.total}}</i>", "event": {"total": 5}, "locale": ""}
    body = call("POST", "/welcome/preview/", given, scopes=scopes)[1]
    assert "<i>5</i>" in body["html"] and body["subject"] == "Hello"
    assert TemplateVersion.objects.count() == 1


def test_a_preview_shows_nobody_to_a_key_that_may_not_see_contacts(call):
    call("POST", "/", WELCOME)
    assert call("GET", "/welcome/preview?contact=ada@example.com")[0] == 403
    assert call("GET", "/welcome/preview?contact=nobody", scopes=("workflows:read", "contacts:read"))[0] == 400
    assert call("POST", "/welcome/preview", {"html": "{{#a}}"})[0] == 400
    assert call("GET", "/nothing/preview")[0] == call("POST", "/nothing/preview", {})[0] == 404


def test_who_lacks_what_a_template_names(call):
    call("POST", "/", WELCOME)
    making.contact("a@example.com", attributes={"first_name": "Ada", "plan": "pro"})
    lacking = making.contact("b@example.com")
    scopes = ("contacts:read",)
    status, body = call("POST", "/welcome/missing", {}, scopes=scopes)
    gap = {"name": "first_name", "parts": ["html"], "missing": 1, "sample": [str(lacking.public_id)]}
    assert status == 200 and (body["audience"], body["gaps"]) == (2, [gap])
    given = {"audience": {"field": "plan", "op": "eq", "value": "pro"}}
    assert call("POST", "/welcome/missing", given, scopes=scopes)[1]["gaps"] == []
    status, problem = call("POST", "/welcome/missing/", {"audience": {"field": "plan"}}, scopes=scopes)
    assert status == 400 and problem["errors"][0]["loc"][0] == "audience"


def test_a_test_mail_goes_to_addresses_of_ours(call, settings):
    settings.TEST_SEND_DOMAINS = ["lab.example"]
    call("POST", "/", WELCOME)
    assert call("POST", "/welcome/send-test", {"to": ["a@lab.example"]}) == (202, {"to": ["a@lab.example"]})
    assert StaffNotice.objects.get().subject == "[Test] Hello"
    assert call("POST", "/welcome/send-test", {"to": "a@lab.example"}) == (202, {"to": ["a@lab.example"]})
    settings.EMAIL_PROVIDER = "sendgrid"
    status, problem = call("POST", "/welcome/send-test/", {"to": ["a@lab.example", "ada@example.com"]})
    assert status == 400 and [each["loc"] for each in problem["errors"]] == [["to", 1]]
    assert (
        call("POST", "/welcome/send-test", {"to": []})[0] == call("POST", "/welcome/send-test", {"to": [1]})[0] == 400
    )
    assert call("POST", "/welcome/send-test", {"to": ["a@lab.example"]}, scopes=["workflows:read"])[0] == 403
    assert not SandboxMail.objects.exists()


def test_the_seed_list_is_kept_and_written_to(call):
    admin, read = ("admin",), ("delivery:read",)
    status, seed = call("POST", "!seed-addresses/", {"email": "A@seeds.example", "locale": "DE"}, scopes=admin)
    assert (status, seed["email"], seed["locale"]) == (201, "a@seeds.example", "de")
    assert call("POST", "!seed-addresses", {"email": "no"}, scopes=admin)[0] == 400
    assert [row["email"] for row in call("GET", "!seed-addresses", scopes=read)[1]["results"]] == ["a@seeds.example"]
    call("POST", "/", {**WELCOME, "locales": {"de": {"subject": "Hallo"}}})
    assert call("POST", "/welcome/send-seeds") == (202, {"mails": 1, "messages": 1, "languages": 2})
    assert StaffNotice.objects.get().subject == "Hallo"
    assert call("DELETE", f"!seed-addresses/{seed['id']}", scopes=admin)[0] == 204
    assert call("DELETE", f"!seed-addresses/{seed['id']}/", scopes=admin)[0] == 404 and not SeedAddress.objects.exists()
