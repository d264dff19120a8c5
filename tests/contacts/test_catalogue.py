"""The event catalogue: names and types, never values, and never more than its limits."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext

from contacts import catalogue
from contacts.models import SeenEvent
from tests.contacts.conftest import Api, event, make_key, record

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _another_process(monkeypatch):
    forget(monkeypatch)


def forget(monkeypatch) -> None:
    """As a process that has just started."""
    monkeypatch.setattr(catalogue, "_memory", catalogue._Memory())


@pytest.fixture
def see(now, django_capture_on_commit_callbacks):
    def record_them(*events, at=now):
        with django_capture_on_commit_callbacks(execute=True):
            record(*events, now=at)

    return record_them


def test_types_properties_and_their_json_types_are_seen(see, now):
    see(
        event("ada", "ordered", properties={"total": 5, "vip": True, "note": None, "cart": {"a": 1}, "tags": ["x"]}),
        event("bob", "ordered", properties={"total": 5.5, "note": "secret words"}),
        event("bob", "seen"),
    )
    assert [(each.name, each.first_seen_at) for each in catalogue.event_types()] == [("ordered", now), ("seen", now)]
    assert catalogue.properties("ordered") == {
        "cart": ["object"],
        "note": ["null", "string"],
        "tags": ["array"],
        "total": ["number"],
        "vip": ["boolean"],
    }
    assert catalogue.properties("seen") == catalogue.properties("unheard") == {}


def test_what_was_noted_costs_nothing_more_within_the_hour(see, now):
    see(event("ada", "ordered", properties={"total": 5}))
    with CaptureQueriesContext(connection) as queries:
        see(event("ada", "ordered", at=now - timedelta(minutes=5), properties={"total": 9}))
    assert not [query for query in queries if "seen_events" in query["sql"]]
    with CaptureQueriesContext(connection) as queries:
        see(event("ada", "ordered", at=now - timedelta(minutes=9), properties={"total": "9"}))
    assert len([query for query in queries if "seen_events" in query["sql"]]) == 1


def test_the_last_time_is_refreshed_once_an_hour(see, now, monkeypatch):
    moments = []
    for minutes in (0, 59, 60, 61, 130):
        forget(monkeypatch)
        see(event("ada", "seen", key=str(minutes)), at=now + timedelta(minutes=minutes))
        moments.append(SeenEvent.objects.get().last_seen_at)
    assert [int((at - now).total_seconds() / 60) for at in moments] == [0, 0, 60, 60, 130]
    assert SeenEvent.objects.get().first_seen_at == now


def test_made_up_names_do_not_fill_the_table(see, now, monkeypatch):
    monkeypatch.setattr(catalogue, "MOST_PROPERTIES", 10)
    monkeypatch.setattr(catalogue, "MOST_TYPES", 5)
    for n in range(30):
        see(event("ada", "bomb", key=f"{n}", properties={f"p{n}": n, f"q{n}": n}))
    see(*[event("ada", f"type-{n}", key=f"t{n}") for n in range(30)])
    assert len(catalogue.properties("bomb")) <= 11
    assert len(catalogue.event_types()) == 5
    forget(monkeypatch)
    see(*[event("ada", f"more-{n}", key=f"m{n}") for n in range(30)])
    see(event("ada", "bomb", key="again", properties={"another": 1}))
    assert len(catalogue.event_types()) == 5
    assert "another" not in catalogue.properties("bomb")


def test_a_known_name_is_refreshed_when_the_table_is_full(see, now, monkeypatch):
    monkeypatch.setattr(catalogue, "MOST_TYPES", 1)
    see(event("ada", "seen"))
    forget(monkeypatch)
    see(event("ada", "seen", key="b"), at=now + timedelta(hours=3))
    assert SeenEvent.objects.get().last_seen_at == now + timedelta(hours=3)


def test_names_that_look_like_data_are_left_out(see):
    see(event("ada", "seen", properties={"ada@example.com": 1, "x" * 101: 1, "": 1, "a\nb": 1, "fine": 1}))
    assert list(catalogue.properties("seen")) == ["fine"]


def test_a_batch_that_was_rolled_back_is_noted_by_the_next_one(see, now):
    with pytest.raises(ZeroDivisionError):
        from django.db import transaction

        with transaction.atomic():
            record(event("ada", "seen"), now=now)
            raise ZeroDivisionError
    see(event("ada", "seen"))
    assert [each.name for each in catalogue.event_types()] == ["seen"]


def test_a_failure_to_write_is_nobodys_trouble_and_is_made_good(see, monkeypatch):
    def fail(*_):
        raise DatabaseError("gone")

    with monkeypatch.context() as broken:
        broken.setattr(catalogue, "_insert", fail)
        see(event("ada", "seen"))
    assert catalogue.event_types() == []
    see(event("ada", "seen", key="b"))
    assert [each.name for each in catalogue.event_types()] == ["seen"]


def test_integrators_read_it_page_by_page(see, now):
    see(event("ada", "ordered", properties={"total": 5}), event("ada", "seen"), event("ada", "left"))
    api = Api(make_key("contacts:read"))
    first = api.get("/api/v1/events/catalogue", limit="2").json()
    assert [each["type"] for each in first["results"]] == ["seen", "ordered"]
    assert first["results"][1]["properties"] == [{"name": "total", "types": ["number"]}]
    assert first["results"][1]["last_seen_at"].startswith("2026-03-04T12:00:00")
    assert [each["type"] for each in api.get(first["next"]).json()["results"]] == ["left"]
    (only,) = api.get("/api/v1/events/catalogue/", type="seen").json()["results"]
    assert (only["type"], only["properties"]) == ("seen", [])
    assert Api(make_key("events:write")).get("/api/v1/events/catalogue").status_code == 403
