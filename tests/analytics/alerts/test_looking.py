"""Alerts open once, close once, and are told of once, whoever looks, and whatever fails."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction

from analytics.health import alerts, alerts_looking, alerts_silencing
from analytics.health.alerts import CRITICAL, WARNING
from analytics.models import Alert, AlertCall, AlertWatch
from contacts import clock
from delivery.models import StaffNotice
from tests.analytics.alerts.conftest import START, calls, finding, mails, source, the_alert

pytestmark = pytest.mark.django_db(transaction=True)


def test_it_opens_once_it_has_held_and_everybody_is_told_once(look):
    look(0, finding())
    look(30, finding())
    assert the_alert().opened_at is None and mails() == []
    look(60, finding())
    look(90, finding())
    assert the_alert().opened_at == START + timedelta(seconds=60)
    assert mails() == ["[Carillon] Warning: Something is late"]
    assert calls() == ["alert.opened"]


def test_what_did_not_hold_leaves_nothing_behind(look):
    look(0, finding())
    look(30)
    assert not Alert.objects.exists()


def test_the_end_is_told_once_it_has_been_gone_for_a_time(look):
    for seconds in (0, 60):
        look(seconds, finding())
    for seconds in (90, 150, 210, 240):
        look(seconds)
    alert = the_alert()
    assert (alert.gone_since, alert.closed_at) == (START + timedelta(seconds=90), START + timedelta(seconds=210))
    assert mails()[1:] == ["[Carillon] Over: Something is late"]
    assert calls() == ["alert.opened", "alert.closed"]


def test_after_the_end_it_may_open_anew(look):
    for seconds, found in [(0, 1), (60, 1), (90, 0), (210, 0), (300, 1), (360, 1)]:
        look(seconds, *[finding()] * found)
    assert Alert.objects.count() == 2 and Alert.objects.filter(closed_at=None).count() == 1
    assert calls() == ["alert.opened", "alert.closed", "alert.opened"]


def test_what_lasts_is_told_of_again_after_the_set_time(look, settings):
    settings.ALERT_AGAIN_AFTER = "PT10M"
    for minute in range(0, 33, 1):
        look(60 * minute, finding())
    assert calls() == ["alert.opened", *["alert.still_open"] * 3]
    assert the_alert().tellings == 4


def test_what_becomes_critical_is_told_of_at_once(look):
    for seconds, severity in [(0, WARNING), (60, WARNING), (90, CRITICAL), (120, WARNING)]:
        look(seconds, finding(severity=severity))
    assert calls() == ["alert.opened", "alert.worsened"] and the_alert().severity == CRITICAL


def test_several_at_once_are_one_mail_and_a_call_for_each(look):
    for seconds in (0, 60):
        look(seconds, finding("a"), finding("b"), finding("c", CRITICAL, title="It is dark"))
    assert mails() == ["[Carillon] Warning: Something is late and 2 more"]
    assert "It is dark" in StaffNotice.objects.get().text
    assert calls() == ["alert.opened"] * 3


def test_sources_do_not_close_each_others_alerts(look):
    look(0, finding(), by=source("one"))
    look(60, finding(), by=source("one"))
    for seconds in (60, 120, 300, 900):
        look(seconds, by=source("two"))
    assert the_alert().key == "one:a" and the_alert().closed_at is None and the_alert().gone_since is None


def test_an_older_look_changes_nothing(look):
    look(60, finding())
    look(120, finding())
    look(30)
    assert the_alert().gone_since is None and the_alert().seen_at == START + timedelta(seconds=120)


def test_the_database_refuses_a_second_open_one_of_a_key(look):
    look(0, finding())
    with pytest.raises(IntegrityError, match="one_open_alert_per_key"), transaction.atomic():
        Alert.objects.create(
            source="test", key="test:a", severity=WARNING, title="x", said="x", began_at=START, seen_at=START
        )


def test_without_anybody_to_tell_it_opens_all_the_same_and_is_told_of_later(look, settings):
    settings.ALERT_EMAIL, settings.ALERT_WEBHOOK_URL = [], ""
    for seconds in (0, 60, 120):
        look(seconds, finding())
    assert the_alert().opened_at and the_alert().told_at is None and mails() == []
    settings.ALERT_EMAIL = ["ops@example.com"]
    look(180, finding())
    assert mails() == ["[Carillon] Warning: Something is late"] and calls() == []


def test_a_flood_is_told_of_as_one(look):
    found = [finding(f"{n:03}") for n in range(70)]
    kept = alerts_looking.bounded([*found, finding("z", CRITICAL)])
    assert len(kept) == alerts_looking.MOST + 1
    assert kept[0].key == "z" and kept[-1].detail == "21 more: Something is late, ..."
    look(0, *kept)
    assert Alert.objects.count() == 51


def test_nothing_told_is_kept_if_the_settling_breaks_off(look):
    look(0, finding())
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        look(60, finding())
        raise ZeroDivisionError
    assert the_alert().opened_at is None and mails() == [] and calls() == []
    look(90, finding())
    assert the_alert().opened_at and len(mails()) == len(calls()) == 1


# -- silences ----------------------------------------------------------------------------------------------------------


def test_a_silence_has_a_name_and_holds_for_the_next_one_of_the_key_too(look):
    for seconds in (0, 60):
        look(seconds, finding())
    until = START + timedelta(hours=4)
    assert alerts_silencing.silence(the_alert().pk, until=until, by="maya", now=START)
    for seconds, found in [(90, 0), (210, 0), (300, 1), (360, 1), (420, 1)]:
        look(seconds, *[finding()] * found)
    assert calls() == ["alert.opened", "alert.closed"]
    latest = Alert.objects.latest("pk")
    assert latest.opened_at and (latest.silenced_by, latest.silenced_until) == ("maya", until)
    look(4 * 3600, finding())
    assert calls() == ["alert.opened", "alert.closed", "alert.opened"]


def test_a_silence_that_is_ended_is_as_if_it_had_not_been(look):
    look(0, finding())
    alerts_silencing.silence(the_alert().pk, until=START + timedelta(hours=4), by="maya", now=START)
    look(60, finding())
    assert calls() == []
    assert alerts_silencing.end(the_alert().pk)
    look(90, finding())
    assert calls() == ["alert.opened"]


def test_what_is_over_cannot_be_silenced_and_no_silence_lasts_for_ever(look):
    for seconds in (0, 60):
        look(seconds, finding())
    with pytest.raises(ValueError, match="thirty days"):
        alerts_silencing.silence(the_alert().pk, until=START + timedelta(days=31), by="maya", now=START)
    with pytest.raises(ValueError, match="thirty days"):
        alerts_silencing.silence(the_alert().pk, until=START, by="maya", now=START)
    for seconds in (90, 210):
        look(seconds)
    assert not alerts_silencing.silence(the_alert().pk, until=START + timedelta(hours=1), by="maya", now=START)


# -- turns -------------------------------------------------------------------------------------------------------------


def test_every_source_has_its_turn_and_then_nobody_is_due(only):
    seen = []
    only(*(source(name, look=lambda now, name=name: seen.append(name) or []) for name in ("a", "b", "c")))
    while alerts_looking.look_once():
        pass
    assert seen == ["a", "b", "c"]
    assert not alerts_looking.is_due(now=clock.now())
    AlertWatch.objects.filter(name="b").update(looked_at=clock.now() - timedelta(seconds=31))
    assert alerts_looking.is_due(now=clock.now())
    assert alerts_looking.look_once() and not alerts_looking.look_once()
    assert seen == ["a", "b", "c", "b"]


def test_a_source_that_fails_stops_nobody_and_closes_nothing(only, look):
    def fails(now):
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 / 0")

    for seconds in (0, 60):
        look(seconds, finding(), by=source("bad"))
    only(source("bad", look=fails), source("good", look=lambda now: [finding()], opens_after=timedelta(0)))
    AlertWatch.objects.all().delete()
    assert alerts_looking.look_once() and alerts_looking.look_once() and not alerts_looking.look_once()
    assert Alert.objects.get(source="bad").gone_since is None
    assert Alert.objects.get(source="good").opened_at
    watch = AlertWatch.objects.get(name="bad")
    assert watch.problem == "django.db.utils.DataError" and watch.failing_since
    only(source("bad"))
    AlertWatch.objects.update(looked_at=None)
    alerts_looking.look_once()
    assert AlertWatch.objects.get(name="bad").problem == ""


def test_two_housekeepers_at_once_look_once_and_tell_once(only, settings):
    settings.ALERT_EMAIL = ["ops@example.com"]
    both, looked = threading.Barrier(2, timeout=20), []
    only(
        source("a", look=lambda now: looked.append("a") or [finding()], opens_after=timedelta(0)),
        source("b", look=lambda now: looked.append("b") or [finding()], opens_after=timedelta(0)),
    )

    def keep_house():
        try:
            both.wait()
            while alerts_looking.look_once():
                pass
        finally:
            connection.close()

    threads = [threading.Thread(target=keep_house) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(looked) == ["a", "b"]
    assert Alert.objects.count() == 2 and len(mails()) == 2


def test_who_is_just_claiming_a_source_is_not_waited_for(only):
    only(source("a"))
    assert alerts_looking.look_once()
    AlertWatch.objects.update(looked_at=None)
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("BEGIN; SELECT FROM alert_watches WHERE name = 'a' FOR UPDATE")
        assert not alerts_looking.look_once()
    finally:
        other.close()


def test_two_who_saw_the_same_at_once_tell_it_once(look):
    """Both claimed, for the first was taken for lost: whoever settles later sees what the first one wrote."""
    look(0, finding())
    both, faults = threading.Barrier(2, timeout=20), []

    def settle(seconds):
        try:
            both.wait()
            with transaction.atomic():
                alerts_looking.settle(source(), [finding()], at=START + timedelta(seconds=seconds))
                time.sleep(0.1)  # so that the other one comes meanwhile
        except Exception as error:
            faults.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=settle, args=(n,)) for n in (60, 61)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert the_alert().tellings == 1 and len(mails()) == 1 and calls() == ["alert.opened"]


def test_what_is_long_over_is_forgotten_with_its_calls(look, only):
    for seconds, found in [(0, 1), (60, 1), (90, 0), (210, 0)]:
        look(seconds, *[finding()] * found)
    only(source("other"))
    alerts_looking.forget_old(now=START + timedelta(days=399))
    assert Alert.objects.count() == 1
    alerts_looking.forget_old(now=START + timedelta(days=401))
    assert not Alert.objects.exists() and not AlertCall.objects.exists() and not AlertWatch.objects.exists()


def test_a_name_belongs_to_one_source(only):
    only()
    one = source("mine")
    alerts.register(one)
    alerts.register(one)
    with pytest.raises(ValueError, match="two sources of alerts are named mine"):
        alerts.register(source("mine"))
