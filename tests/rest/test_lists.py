"""Every list of the API that comes in pages: each filter that its document names leaves what has that value and nothing
else; page by page it is the whole list, once, also while rows are added; `?fields=` narrows its rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from analytics.models import Experiment
from contacts import clock
from contacts.models import Contact, ContactIdentity, Segment, SegmentMember
from delivery.models import EndpointDelivery, Message, TemplateVersion, WebhookEndpoint
from tests.contacts.conftest import Api
from tests.rest.objects import Objects, furnish_all
from tests.rest.test_openapi import operations
from tests.rest.test_scopes import address
from workflows.models import DeadLetter, EntryRun, Workflow

pytestmark = pytest.mark.django_db
PAGING = {"cursor", "limit"}
Values = Callable[[Any], "set[str]"]


def field(name: str) -> Values:
    return lambda row: {str(row[name])} if row.get(name) not in (None, "") else set()


def each_of(name: str) -> Values:
    return lambda row: set(row[name])


def named(kind: str) -> Values:
    """The identifier of the contact that the row names by its id."""
    return lambda row: {
        value for value in Contact.objects.filter(public_id=row["contact"]).values_list(kind, flat=True) if value
    }


def known_as(row: Any) -> set[str]:
    (contact_id,) = Contact.objects.filter(public_id=row["id"]).values_list("pk", flat=True)
    names = ContactIdentity.objects.filter(contact_id=contact_id, kind="anonymous_id")
    return set(names.values_list("value", flat=True))


# what a row of the list answers to by this filter
FILTERS: dict[str, dict[str, Values]] = {
    "/contacts/": {
        **{name: field(name) for name in ("external_id", "email", "phone")},
        "anonymous_id": known_as,
        "tag": each_of("tags"),
        "list": each_of("lists"),
        "segment": each_of("segments"),
    },
    "/contacts/{public_id}/timeline/": {"source": field("source")},
    "/events/catalogue/": {"type": field("type")},
    "/experiments/": {"state": field("state")},
    "/messages/": {
        **{name: field(name) for name in ("contact", "state", "step", "template", "workflow")},
        "external_id": named("external_id"),
        "email": named("email"),
        "address": named("email"),
    },
    "/scoring/backtests/": {name: field(name) for name in ("ruleset", "state")},
    "/scoring/rulesets/": {name: field(name) for name in ("name", "state")},
    "/seed-addresses/": {name: field(name) for name in ("email", "locale")},
    "/suppressions/": {name: field(name) for name in ("address", "reason", "scope")},
    "/templates/": {name: field(name) for name in ("channel", "kind", "slug")},
    "/webhook-endpoints/": {"state": field("state")},
    "/webhook-endpoints/{public_id}/deliveries/": {"state": field("state"), "type": field("event_type")},
    "/workflows/": {name: field(name) for name in ("slug", "status")},
    "/workflows/{slug}/enrolments/": {
        **{name: field(name) for name in ("contact", "state", "step")},
        "external_id": named("external_id"),
        "email": named("email"),
    },
    "/workflows/{slug}/runs/": {name: field(name) for name in ("kind", "state")},
    "/workflows/dead-letters/": {name: field(name) for name in ("category", "state", "step", "workflow")},
}
# what only those after, or before, an instant have; filter -> (field of the row, whether it is in)
INSTANTS: dict[tuple[str, str], Callable[[datetime, datetime], bool]] = {
    ("/webhook-endpoints/{public_id}/deliveries/", "since"): lambda at, said: at >= said,
}
ELSEWHERE = {("/contacts/", "created_after"), ("/contacts/", "created_before")}  # tests/rest/test_answers.py
OWN = {"/templates/{slug}/versions/": ("written-twice",)}  # beside what the objects know
HIDDEN_AT_FIRST = {("/workflows/dead-letters/", "state")}  # left out, it shows the open ones


class World:
    def __init__(self) -> None:
        self.objects: Objects = furnish_all(clock.now())
        self.api = Api(self.objects.key)
        _vary(self.api, self.objects)

    def get(self, path: str, **query: str) -> Any:
        answer = self.api.get(path, **query)
        assert answer.status_code == 200, (path, query, answer.content)
        return answer.json()

    def rows(self, path: str, **query: str) -> list[Any]:
        """All of them, by large pages."""
        page = self.get(path, limit="200", **query)
        assert page["next"] is None, path
        return page["results"]

    def places(self, template: str) -> Iterator[str]:
        """Its addresses, of every parent that there is."""
        whole = f"/api/v1{template}"
        parts = [part[1:-1] for part in template.split("/") if part.startswith("{")]
        if not parts:
            yield whole
            return
        for known in (*self.objects.of(whole, parts[0]), *OWN.get(template, ())):
            yield whole.replace(f"{{{parts[0]}}}", known)


@pytest.fixture
def world() -> World:
    return World()


def lists() -> dict[str, set[str]]:
    """Template below /api/v1 -> its filters."""
    found = {}
    for method, path, operation in operations():
        names = {each["name"] for each in operation["parameters"] if each["in"] == "query"}
        if method == "get" and "cursor" in names:
            found[path.removeprefix("/api/v1")] = names - PAGING
    return found


def _vary(api: Api, objects: Objects) -> None:
    """Beside what is there, something of another kind."""

    def post(path: str, body: Any = None) -> Any:
        answer = api.call("POST", f"/api/v1{path}", b"" if body is None else json.dumps(body).encode())
        assert answer.status_code < 300, (path, answer.content)
        return answer.json()

    post("/contacts/", {"external_id": "varied", "phone": "+491701234567", "tags": ["vip"], "lists": ["news"]})
    for number in range(2):
        post("/contacts/", {"external_id": f"anonymous-{number}", "anonymous_id": f"anon-{number}"})
    post("/lists/", {"slug": "tips", "name": "Tips"})
    post("/lists/news/contacts/", {"add": [{"external_id": "anonymous-0"}]})
    post("/tags/vip/contacts/", {"add": [{"external_id": "anonymous-0"}]})
    first = Experiment.objects.earliest("pk")
    Experiment.objects.create(slug="another", workflow_id=first.workflow_id)
    post("/experiments/another/decide/", {"reason": "None won"})
    post("/seed-addresses/", {"email": "noor@example.com", "locale": "de"})
    post("/suppressions/", {"address": "a@example.com", "scope": "news", "reason": "manual"})
    post("/suppressions/", {"address": "+491701234568", "scope": "sms", "reason": "unsubscribe"})
    post("/templates/", {"slug": "a-part", "kind": "partial", "text": "Hello", "html": "<p>Hello</p>"})
    post("/templates/", {"slug": "a-text", "channel": "sms", "text": "Hello"})
    for subject in ("One", "Two"):
        words = {"slug": "written-twice", "subject": subject, "text": "Hello {{{unsubscribe_url}}}"}
        post("/templates/", words)
    other = post("/webhook-endpoints/", {"url": "https://crm.example/other", "event_types": ["email_sent"]})
    post(f"/webhook-endpoints/{other['id']}/disable/")
    one = WebhookEndpoint.objects.earliest("pk")
    for hours, event_type in enumerate(("email_sent", "email_opened")):
        EndpointDelivery.objects.create(
            endpoint=one, event_type=event_type, state="queued" if hours else "failed", webhook_id=uuid4(),
            event_id=hours + 1, due_at=clock.now(), finished_at=clock.now(),
            created_at=clock.now() + timedelta(hours=hours),
        )  # fmt: skip
    post("/segments/", {"slug": "vips", "name": "VIPs", "condition": {"has_tag": "vip"}})
    trial = Segment.objects.get(slug="trial")
    for contact_id in Contact.objects.order_by("pk").values_list("pk", flat=True)[:3]:
        SegmentMember.objects.create(segment=trial, contact_id=contact_id, entered_at=clock.now())
    told = api.get("/api/v1/workflows/told").json()["definition"]
    answer = api.call("PUT", "/api/v1/workflows/told", json.dumps({**told, "name": "Told again"}).encode())
    assert answer.status_code == 200, answer.content
    post("/workflows/told/publish")
    message, version = Message.objects.earliest("pk"), TemplateVersion.objects.get(template__slug="a-text")
    workflow = Workflow.objects.get(slug="told")
    Message.objects.create(
        contact_id=message.contact_id, channel="sms", template_version=version, message_class="marketing", lane="bulk",
        idempotency_key="another", workflow_id=workflow.pk, context={"about": {"workflow": "told"}}, step="another",
        created_at=clock.now(),
    )  # fmt: skip
    failed = DeadLetter.objects.filter(state="open").earliest("pk")
    DeadLetter.objects.create(
        enrolment_id=failed.enrolment_id, workflow_id=workflow.pk, version_id=workflow.live_version_id, step="tell",
        contact_id=failed.contact_id, seq=failed.seq + 1, error="KeyError", attempts=1, failed_at=clock.now(),
        category="permanent" if failed.category == "transient" else "transient",
    )  # fmt: skip
    fit = post("/scoring/rulesets/", {"state": "draft", "name": "fit", "rules": []})
    week = {"since": (clock.now() - timedelta(days=7)).isoformat(), "until": clock.now().isoformat()}
    tried = post("/scoring/backtests/", {"ruleset": fit["id"], **week, "conversion": {"event": "signed_up"}})
    post(f"/scoring/backtests/{tried['id']}/cancel/")
    run = EntryRun.objects.filter(workflow__slug="told").earliest("pk")
    EntryRun.objects.create(
        workflow=run.workflow, version=run.version, kind="existing", up_to=1, state="stopped", started_by="maya",
        started_at=run.started_at, finished_at=run.started_at,
    )  # fmt: skip
    contact = objects.of("/api/v1/contacts/", "public_id")[0]
    for state in ("denied", "granted"):
        post(f"/contacts/{contact}/consents/", {"category": "tracking", "state": state})
    post(f"/contacts/{contact}/devices/", {"kind": "fcm", "target": "another"})


def test_every_filter_of_every_list_is_tried():
    tried = {path: set(filters) for path, filters in FILTERS.items()}
    for path, name in (*INSTANTS, *ELSEWHERE):
        tried.setdefault(path, set()).add(name)
    assert {path: names for path, names in lists().items() if names} == tried


def test_every_filter_leaves_what_has_that_value_and_nothing_else_and_none_is_ignored(world):
    wrong = []
    for template, filters in FILTERS.items():
        for name, values in filters.items():
            every = [(path, world.rows(path)) for path in world.places(template)]
            said = _a_value_of_some(every, values, hidden=(template, name) in HIDDEN_AT_FIRST)
            if said is None:
                wrong.append((template, name, "nothing is in, or nothing out"))
                continue
            path, rows, value = said
            found = world.rows(path, **{name: value})
            if found != [row for row in rows if value in values(row)]:
                wrong.append((template, name, value))
    assert not wrong, "\n".join(map(str, wrong))
    _instants(world)
    _values_that_nothing_has(world)


def _a_value_of_some(
    every: list[tuple[str, list[Any]]], values: Values, *, hidden: bool
) -> tuple[str, list[Any], str] | None:
    """A list, its rows, and a value that some of its rows have, and others have not."""
    for path, rows in every:
        for value in sorted({value for row in rows for value in values(row)}):
            having = sum(value in values(row) for row in rows)
            if having < len(rows) or hidden:
                return path, rows, value
    return None


def _instants(world: World) -> None:
    """An instant leaves what came then, or later."""
    for (template, name), is_in in INSTANTS.items():
        (path,) = [each for each in world.places(template) if len(world.rows(each)) > 1][:1]
        rows = world.rows(path)
        said = max(datetime.fromisoformat(row["created_at"]) for row in rows)
        found = world.rows(path, **{name: said.isoformat()})
        assert found == [row for row in rows if is_in(datetime.fromisoformat(row["created_at"]), said)]
        assert 0 < len(found) < len(rows)


def _values_that_nothing_has(world: World) -> None:
    """It leaves nothing or is refused, and never leaves everything."""
    wrong = []
    for template, filters in FILTERS.items():
        path = next(world.places(template))
        for name in filters:
            answer = world.api.get(path, **{name: "nobody-has-this"})
            if answer.status_code == 200 and answer.json()["results"]:
                wrong.append((template, name))
            elif answer.status_code not in (200, 400, 404):
                wrong.append((template, name, answer.status_code))
    assert not wrong, "\n".join(map(str, wrong))


# how a row comes to a list while somebody pages through it
ADDED: dict[str, tuple[str, Any]] = {
    "/contacts/": ("/contacts/", {"external_id": "came-later"}),
    "/lists/": ("/lists/", {"slug": "later", "name": "Later"}),
    "/tags/": ("/tags/", {"name": "later"}),
    "/segments/": ("/segments/", {"slug": "later", "name": "Later", "condition": {"has_tag": "vip"}}),
    "/seed-addresses/": ("/seed-addresses/", {"email": "later@example.com"}),
    "/suppressions/": ("/suppressions/", {"address": "later@example.com"}),
    "/templates/": ("/templates/", {"slug": "later", "subject": "S", "text": "T {{{unsubscribe_url}}}"}),
    "/webhook-endpoints/": ("/webhook-endpoints/", {"url": "https://crm.example/l", "event_types": ["email_sent"]}),
    "/workflows/": ("/workflows/", {"slug": "later", "name": "Later"}),
    "/scoring/rulesets/": ("/scoring/rulesets/", {"state": "draft", "rules": []}),
    "/tags/{name}/contacts/": ("", {"add": [{"external_id": "varied"}]}),
    "/lists/{slug}/contacts/": ("", {"add": [{"external_id": "came-later"}]}),
}


def test_page_by_page_every_list_is_whole_and_says_nothing_twice_while_rows_are_added_and_takes_fields(world):
    paged, grown = set(), set()
    for template in lists():
        for path in world.places(template):
            rows = world.rows(path)
            if len(rows) < 2:
                continue
            paged.add(template)
            pages = [world.get(path, limit=str(max(1, len(rows) // 3)))]
            if template in ADDED:
                where, body = ADDED[template]
                said = world.api.call("POST", f"/api/v1{where}" if where else path, json.dumps(body).encode())
                assert said.status_code in (200, 201), (template, said.content)
                if len(world.rows(path)) > len(rows):
                    grown.add(template)
            while pages[-1]["next"] is not None:
                pages.append(world.get(_below(pages[-1]["next"])))
            assert [row for page in pages for row in page["results"]] == rows, path
            if pages[1]["previous"] is not None:  # a timeline leads into the past only
                back = world.get(_below(pages[1]["previous"]))["results"]
                assert back == pages[0]["results"], path
            break
    assert not set(lists()) - paged, sorted(set(lists()) - paged)
    assert set(ADDED) - grown == set()
    _narrowed(world)
    _made_up_cursors(world)


def _below(link: str) -> str:
    parts = urlsplit(link)
    return f"{parts.path}?{parts.query}"


def _narrowed(world: World) -> None:
    """The rows of every list may be narrowed to some fields."""
    narrowed = set()
    for template in lists():
        for path in world.places(template):
            rows = world.rows(path)
            if not rows:
                continue
            name = sorted(rows[0])[0]
            assert world.rows(path, fields=name) == [{name: row[name]} for row in rows], path
            refused = world.api.get(path, fields="no_such_field")
            assert (refused.status_code, refused.json()["errors"][0]["loc"]) == (400, ["fields", "no_such_field"])
            narrowed.add(template)
            break
    assert set(lists()) - narrowed == set()


def _made_up_cursors(world: World) -> None:
    """They are refused."""
    for template in lists():
        answer = world.api.get(address(f"/api/v1{template}", world.objects), cursor="made-up")
        assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json"), template
