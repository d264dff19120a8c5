"""The pages of back-tests: who may see them, who may ask, and what the figures are called."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from contacts import clock
from scoring.backtests.figures import rate
from scoring.backtests.rising import rising
from scoring.models import Backtest, Ruleset
from scoring.pages import backtest_report
from scoring.rulesets.parsing import parse_rules
from scoring.rulesets.rules import Ruleset as Rules
from tests.scoring.backtests.conftest import work
from tests.scoring.conftest import rule, write_history
from tests.scoring.oracle import Happened

pytestmark = pytest.mark.django_db
ADD = "/admin/scoring/backtest/add/"


def somebody(*permissions: str) -> Client:
    user = User.objects.create_user(f"user{User.objects.count()}", password="x", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def marketer() -> Client:
    return somebody("change_ruleset", "view_ruleset", "view_contact", "see_personal_data")


@pytest.fixture
def finished(drafted, activated, person) -> Backtest:
    now = clock.now()
    activated(rule("visited", 30))
    ada, ben = person(email="ada@example.com"), person(email="ben@example.com")
    write_history(ada, [Happened("visited", now - timedelta(days=5)), Happened("bought", now - timedelta(days=1))])
    write_history(ben, [Happened("visited", now - timedelta(days=n)) for n in (5, 6)])
    somebody("change_ruleset").post(ADD, form(drafted(rule("visited", 60))))
    work(now=clock.now())
    return Backtest.objects.get()


def form(ruleset: int, **said: str) -> dict[str, str]:
    return {"ruleset": str(ruleset), "days": "30", "kind": "event", "event": "bought", "where": "", **said}


def page(client: Client, backtest: Backtest, **query: str):
    return client.get(f"/admin/scoring/backtest/{backtest.pk}/change/", query_params=query)


def test_the_form_asks_for_the_last_days(marketer, drafted):
    answer = marketer.post(ADD, form(drafted(rule("visited", 60)), threshold="12.5"))
    backtest = Backtest.objects.get()
    assert answer.headers["location"].endswith(f"/{backtest.pk}/change/")
    assert backtest.until - backtest.since == timedelta(days=30)
    assert (backtest.threshold, backtest.conversion, backtest.state) == (12.5, {"event": "bought"}, "queued")


def test_the_form_asks_for_any_days_a_stage_and_some_events_only(marketer, drafted):
    draft = drafted(rule("visited", 60))
    days = {"days": "own", "since": "2026-01-02", "until": "2026-02-03"}
    marketer.post(ADD, form(draft, kind="stage", stage="customer", **days))
    only = '{"field": "event.total", "op": "gt", "value": 5}'
    marketer.post(ADD, form(draft, where=only, **days))
    stage, event = Backtest.objects.order_by("pk")
    assert stage.conversion == {"stage": "customer"}
    assert event.conversion == {"event": "bought", "where": {"field": "event.total", "op": "gt", "value": 5}}
    assert (stage.since.isoformat(), stage.until.isoformat()) == (
        "2026-01-02T00:00:00+00:00",
        "2026-02-03T23:59:59.999999+00:00",
    )


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"event": " "}, "Choose an event."),
        ({"days": "own"}, "Choose a day."),
        ({"days": "own", "since": "2026-02-03", "until": "2026-01-02"}, "Must be later than since."),
        ({"days": "own", "since": "2001-02-03", "until": "2026-01-02"}, "Must be at most 1100 days before until."),
        ({"threshold": "-1"}, "Expected a number above 0"),
        ({"event": "bought\x00"}, "Null characters are not allowed"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(marketer, drafted, said, words):
    answer = marketer.post(ADD, form(drafted(rule("visited", 60)), **said))
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert not Backtest.objects.exists()


def test_the_report_says_what_was_found(marketer, finished):
    html = page(marketer, finished).content.decode().replace("\xa0", " ")
    for words in (
        "1 of the 2 who crossed converted afterwards.",
        "Only one contact converted: one more or less among them moves recall by 100 points.",
        "not to be told from guessing",
        "Only this version",
        "ada@example.com",
    ):
        assert words in html
    missed = page(marketer, finished, who="in_vain").content.decode()
    assert "ben@example.com" in missed and "ada@example.com" not in missed
    for who, number in (("nonsense", "-1"), ("foretold", "99999"), ("only_active", "9999")):
        assert page(marketer, finished, who=who, page=number).status_code == 200


def test_who_may_not_see_contacts_sees_the_figures_alone(finished):
    html = page(somebody("view_ruleset"), finished).content.decode()
    assert "who crossed converted afterwards" in html
    assert "ada@example.com" not in html and "Activate this version" not in html


def test_who_may_not_write_rules_asks_for_nothing_and_does_nothing(finished, drafted):
    reader, stranger = somebody("view_ruleset", "view_contact"), somebody("view_contact")
    draft = drafted(rule("visited", 60))
    deed = f"/admin/scoring/backtest/{finished.pk}/deed/"
    for client in (reader, stranger):
        assert client.get(ADD).status_code == 403
        assert client.post(ADD, form(draft)).status_code == 403
        assert client.post(deed, {"deed": "activate", "on_activation": "emit"}).status_code == 403
    assert page(stranger, finished).status_code == 403
    assert reader.get("/admin/scoring/backtest/").status_code == 200
    assert Backtest.objects.count() == 1


def test_the_version_that_was_tried_is_made_active_and_no_other(marketer, finished):
    deed = f"/admin/scoring/backtest/{finished.pk}/deed/"
    assert marketer.post(deed, {"deed": "activate", "on_activation": "maybe"}).status_code == 404
    Ruleset.objects.filter(pk=finished.ruleset_id).update(edits=1)  # somebody saves it
    marketer.post(deed, {"deed": "activate", "on_activation": "emit"})
    assert Ruleset.objects.get(pk=finished.ruleset_id).state == "draft"
    assert "The draft was changed since" in page(marketer, finished).content.decode()
    Ruleset.objects.filter(pk=finished.ruleset_id).update(edits=0)
    marketer.post(deed, {"deed": "activate", "on_activation": "rebase"})
    ruleset = Ruleset.objects.get(pk=finished.ruleset_id)
    assert (ruleset.state, ruleset.on_activation) == ("active", "rebase")
    again = marketer.post(deed, {"deed": "activate", "on_activation": "rebase"}, follow=True)
    assert "not a draft any more" in again.content.decode()


def test_one_that_stopped_says_why_and_can_go_on(marketer, finished):
    Backtest.objects.filter(pk=finished.pk).update(state="failed", problem="The database took too long.", result=None)
    assert "The database took too long." in page(marketer, finished).content.decode()
    marketer.post(f"/admin/scoring/backtest/{finished.pk}/deed/", {"deed": "go_on"})
    assert Backtest.objects.get().state == "queued"
    progress = marketer.get(f"/admin/scoring/backtest/{finished.pk}/progress/").json()
    assert (progress["state"], progress["open"], progress["total"]) == ("queued", True, 2)


def test_two_are_compared_and_what_is_not_alike_is_said(marketer, finished):
    marketer.post(ADD, form(finished.ruleset_id, kind="stage", stage="customer", days="90"))
    work(now=clock.now())
    other = Backtest.objects.latest("pk")
    answer = marketer.get(f"/admin/scoring/backtest/compare/?one={finished.pk}&other={other.pk}")
    assert "over different days and for different successes" in answer.content.decode()
    for query in ("", f"?one={finished.pk}&other=x", f"?one={finished.pk}&other={10**17}"):
        assert marketer.get(f"/admin/scoring/backtest/compare/{query}").status_code == 404


@pytest.mark.parametrize(
    ("hits", "of", "guessing", "words"),
    [
        (60, 100, 0.3, "2.0 times as good as guessing"),
        (3, 10, 0.28, "not to be told from guessing"),
        (5, 100, 0.3, "worse than guessing"),
        (0, 0, None, ""),
        (4, 4, 0.0, "better than guessing"),
    ],
)
def test_a_precision_is_held_against_guessing_as_far_as_so_few_can_tell(hits, of, guessing, words):
    found = rate(hits, of)
    told = {"precision": {"share": found.share, "low": found.low, "high": found.high}, "guessing": guessing}
    assert backtest_report.beside_guessing(told)[0] == words


def test_what_is_read_as_it_is_today_is_told():
    asks = [
        {"name": "a", "signal": {"has_tag": "vip"}, "points": 1},
        {"name": "b", "signal": {"field": "lifecycle_stage", "op": "eq", "value": "customer"}, "points": 1},
    ]
    moves = rising([Rules(0, "lead", 1, 60, parse_rules(asks))])
    result = {"tried": {"crossed": 50}, "base_rate": {"hits": 50}}
    (said,) = backtest_report.remarks(result, cut=0, rising=moves, step="once a day")
    assert "tags and the lifecycle stage" in said
