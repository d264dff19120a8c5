"""Liveness asks nobody; readiness names what is missing."""

import pytest
from django.db import DatabaseError, connection
from django.db.migrations.recorder import MigrationRecorder

from config import health
from config.lanes import DISPATCHER, LANES, heartbeat_of
from contacts import heartbeat, redis_index
from contacts.heartbeat import Heartbeat


@pytest.fixture(autouse=True)
def _nothing_remembered():
    health.migrations.cache_clear()
    yield
    health.migrations.cache_clear()


@pytest.fixture
def beating():
    """Everybody who should beat does."""
    hearts = {name: Heartbeat(name) for name in [*map(heartbeat_of, LANES), DISPATCHER]}
    assert all(heart.beat() for heart in hearts.values())
    return hearts


@pytest.fixture
def redis_away(settings):
    there = settings.REDIS_URL
    settings.REDIS_URL = settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"
    redis_index._client.cache_clear()
    yield
    settings.REDIS_URL = there
    redis_index._client.cache_clear()


@pytest.mark.parametrize("path", ["/healthz", "/healthz/"])
def test_liveness_needs_no_database(client, path):
    response = client.get(path)
    assert response.status_code == 200
    assert response.content == b"ok\n"


def test_liveness_needs_no_redis(client, redis_away):
    assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize("path", ["/readyz", "/readyz/"])
def test_it_is_ready_when_everybody_beats(db, client, beating, path):
    response = client.get(path)
    assert (response.status_code, response.json()["ready"], response.json()["missing"]) == (200, True, [])
    assert set(response.json()["checks"].values()) == {"ok"}
    assert "no-store" in response["Cache-Control"]


def test_a_lane_without_a_worker_is_named(db, client, beating):
    redis_index.connection().delete(redis_index.key("heartbeat:lane delivery_bulk"))
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["missing"] == ["lane delivery_bulk"]
    assert response.json()["checks"]["lane delivery_bulk"] == "no heartbeat"


def test_an_installation_without_processes_names_them_all(db, client):
    assert client.get("/readyz").json()["missing"] == [*map(heartbeat_of, LANES), "dispatcher"]


def test_the_reader_of_kafka_is_missed_where_there_is_a_kafka(db, client, beating, settings):
    settings.KAFKA_BOOTSTRAP_SERVERS = "127.0.0.1:9092"
    assert client.get("/readyz").json()["missing"] == ["kafka"]


def test_a_migration_that_is_not_applied_is_counted(db, client, beating):
    assert client.get("/readyz").status_code == 200, "applied, and remembered so"
    health.migrations.cache_clear()
    MigrationRecorder(connection).record_unapplied("sessions", "0001_initial")
    response = client.get("/readyz")
    assert response.json()["missing"] == ["migrations"]
    assert response.json()["checks"]["migrations"] == "1 not applied"


def test_redis_that_is_away_is_told_apart_from_processes_that_are(db, client, redis_away):
    checks = client.get("/readyz").json()["checks"]
    assert checks["redis"] == checks["broker"] == "does not answer"
    assert checks["dispatcher"] == "unknown without redis"
    assert checks["database"] == "ok"


def test_another_broker_that_is_away_is_named(db, client, beating, settings):
    settings.CELERY_BROKER_URL = "amqp://carillon:secret@127.0.0.1:1//"
    response = client.get("/readyz")
    assert response.json()["missing"] == ["broker"]
    assert b"secret" not in response.content


def test_a_database_that_is_away_is_named(db, client, beating, monkeypatch):
    def refuse(*args, **kwargs):
        raise DatabaseError("server closed the connection at 10.0.0.1")

    with monkeypatch.context() as away:
        away.setattr(connection, "cursor", refuse)
        response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["missing"] == ["database", "migrations"]
    assert b"10.0.0.1" not in response.content


def test_probes_only_look(client):
    assert client.post("/healthz").status_code == 405


def test_a_heart_stops_when_the_loop_stands_still():
    heart = Heartbeat("lane urgent")
    assert heart.beat()
    assert heartbeat.missing(["lane urgent"]) == []
    redis_index.connection().delete(redis_index.key("heartbeat:lane urgent"))
    heart.turned -= heartbeat.STALLED_SECONDS + 1
    assert not heart.beat()
    assert heartbeat.missing(["lane urgent"]) == ["lane urgent"]
    heart.turn()
    assert heart.beat()


def test_a_beat_outlives_its_process_for_seconds_only():
    Heartbeat("lane urgent").beat()
    assert 0 < redis_index.connection().pttl(redis_index.key("heartbeat:lane urgent")) <= heartbeat.EXPIRES_MS


def test_a_heart_beats_on_while_redis_is_away(redis_away):
    assert not Heartbeat("lane urgent").beat()
