"""The English sentence of every kind of condition."""

from __future__ import annotations

import pytest

from contacts.conditions import Field, NodeKind, Sql, builtin, explain, fields, parse
from contacts.conditions.operators import OPERATORS
from tests.contacts.conditions.asking import EVERYWHERE


@pytest.fixture(autouse=True)
def upper_floors(monkeypatch):
    """What scoring and workflows register, whether they are there yet or not."""
    nothing = lambda alias, now: Sql("NULL", [])  # noqa: E731
    monkeypatch.setitem(fields.FIELDS, "score", Field("score", "number", nothing, "score"))
    monkeypatch.setitem(
        builtin.NODES,
        "in_workflow",
        NodeKind(sql=lambda name, alias, now: Sql("TRUE", []), sentence=lambda name: f"is in the workflow “{name}”"),
    )


def cmp(field: object, op: str, value: object = None) -> dict:
    return {"field": field, "op": op} if value is None else {"field": field, "op": op, "value": value}


A, B, C = cmp("a", "exists"), cmp("b", "exists"), cmp("c", "exists")
SENTENCES = [
    ({"all": [cmp("job_title", "contains", "Director"), cmp("score", "gte", 60)]},
     "job_title contains “Director” and score is at least 60"),
    # every operator
    (cmp("plan", "eq", "pro"), "plan is “pro”"),
    (cmp("plan", "eq", ""), "plan is “”"),
    (cmp("seats", "eq", 5), "seats is 5"),
    (cmp("seats", "ne", 2.5), "seats is not 2.5"),
    (cmp("beta", "eq", True), "beta is true"),
    (cmp("beta", "eq", False), "beta is false"),
    (cmp("seats", "gt", -1), "seats is greater than -1"),
    (cmp("seats", "lt", 7), "seats is less than 7"),
    (cmp("seats", "lte", 7), "seats is at most 7"),
    (cmp("country", "in", ["US", "GB"]), "country is one of “US”, “GB”"),
    (cmp("country", "not_in", list("ABCDEFG")), "country is none of “A”, “B”, “C”, “D”, “E” and 2 more"),
    (cmp("email", "not_contains", "@example."), "email does not contain “@example.”"),
    (cmp("locale", "starts_with", "de_"), "locale starts with “de_”"),
    (cmp("email", "ends_with", ".edu"), "email ends with “.edu”"),
    (cmp("owner_email", "exists"), "owner’s email is known"),
    (cmp("attributes.company.vat", "not_exists"), "company.vat is not known"),
    (cmp("created_at", "before", "2026-03-04"), "creation date is before 2026-03-04 00:00 UTC"),
    (cmp("renews_at", "after", "2026-03-04T09:30:15+02:00"), "renews_at is after 2026-03-04 07:30:15 UTC"),
    (cmp("created_at", "gt", "2026-03-04"), "creation date is after 2026-03-04 00:00 UTC"),
    (cmp("created_at", "gte", "2026-03-04"), "creation date is at or after 2026-03-04 00:00 UTC"),
    (cmp("renews_at", "lt", "2026-03-04"), "renews_at is before 2026-03-04 00:00 UTC"),
    (cmp("renews_at", "lte", "2026-03-04"), "renews_at is at or before 2026-03-04 00:00 UTC"),
    (cmp("created_at", "within_last", "P30D"), "creation date is within the last 30 days"),
    (cmp("created_at", "not_within_last", "P1DT12H"), "creation date is not within the last 1 day 12 hours"),
    (cmp("created_at", "within_last", "PT90M"), "creation date is within the last 1 hour 30 minutes"),
    (cmp("created_at", "within_last", "PT1H"), "creation date is within the last hour"),
    (cmp("bio", "contains", "x" * 200), f"bio contains “{'x' * 80}…”"),
    # events at hand and entry events
    (cmp("event.plan", "eq", "trial"), "the event’s plan is “trial”"),
    (cmp("event.type", "eq", "signed_up"), "the event’s type is “signed_up”"),
    (cmp(["event", "type"], "eq", "gift"), "the event’s property “type” is “gift”"),
    (cmp(["attributes", "a.b"], "exists"), "a.b is known"),
    (cmp("trigger.total", "gt", 50), "the entry event’s total is greater than 50"),
    (cmp("event.order_id", "eq", {"ref": "trigger.order_id"}), "the event’s order_id is the entry event’s order_id"),
    # counted events
    ({"event": "subscribed"}, "“subscribed” happened"),
    ({"event": "subscribed", "op": "gt", "count": 0, "within": "P7D"}, "“subscribed” happened in the last 7 days"),
    ({"event": "subscribed", "op": "eq", "count": 0}, "“subscribed” never happened"),
    ({"event": "subscribed", "op": "lt", "within": "P1D"}, "“subscribed” did not happen in the last day"),
    ({"event": "subscribed", "op": "eq", "count": 1}, "“subscribed” happened exactly once"),
    ({"event": "subscribed", "op": "ne", "count": 2}, "“subscribed” happened more or fewer than 2 times"),
    ({"event": "subscribed", "op": "gt", "count": 2}, "“subscribed” happened more than 2 times"),
    ({"event": "subscribed", "op": "lt", "count": 2}, "“subscribed” happened fewer than 2 times"),
    ({"event": "subscribed", "op": "lte", "count": 1000}, "“subscribed” happened at most 1,000 times"),
    ({"event": "order_completed", "op": "gte", "count": 2, "within": "P30D", "where": cmp("event.total", "gt", 50)},
     "“order_completed” happened at least 2 times in the last 30 days (where its total is greater than 50)"),
    ({"event": "order_completed", "where": {"any": [cmp("event.gift", "eq", True), cmp("plan", "eq", "pro")]}},
     "“order_completed” happened (where its gift is true or plan is “pro”)"),
    ({"event": "email_opened", "within": "P7D", "message": {"workflow": "trial", "step": "tour"}},
     "“email_opened” (of workflow “trial”, step “tour”) happened in the last 7 days"),
    # named nodes
    ({"has_tag": "vip"}, "has the tag “vip”"),
    ({"not": {"has_tag": "vip"}}, "not (has the tag “vip”)"),
    ({"in_workflow": "trial-onboarding"}, "is in the workflow “trial-onboarding”"),
    # groups
    ({"all": []}, "always"),
    ({"any": []}, "never"),
    ({"any": [A, B]}, "a is known or b is known"),
    ({"all": [{"any": [A, B]}, C]}, "(a is known or b is known) and c is known"),
    ({"any": [{"all": [A, B]}, C]}, "(a is known and b is known) or c is known"),
    ({"all": [{"all": [A, B]}, C]}, "a is known and b is known and c is known"),
    ({"all": [{"any": [{"any": [A, B]}]}, C]}, "(a is known or b is known) and c is known"),
    ({"all": [{"any": [A]}, C]}, "a is known and c is known"),
    ({"all": [{"any": []}, C]}, "never and c is known"),
    ({"not": {"any": [A, {"all": [B, C]}]}}, "not (a is known or (b is known and c is known))"),
]  # fmt: skip


@pytest.mark.parametrize(("tree", "sentence"), SENTENCES)
def test_a_condition_reads_as_one_sentence(tree, sentence):
    assert explain(parse(tree, scope=EVERYWHERE)) == sentence


def test_the_table_has_a_sentence_for_every_operator():
    assert {tree["op"] for tree, _ in SENTENCES if "field" in tree} | {"contains", "gte"} == set(OPERATORS)
