"""Reports by mail: made once for each time, stopped by whoever gets them, and never silently missing."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection, transaction

from analytics.models import ReportSubscription
from analytics.reports import mails, subscriptions
from analytics.reports.rhythm import Rhythm
from analytics.reports.subscriptions import BadSubscription
from contacts import clock, transactions
from delivery import notices
from delivery.models import SandboxMail, StaffNotice
from tests.analytics.reports import marts

DAILY = Rhythm("day", 1, 8, "Europe/Berlin")
MORNING = datetime(2026, 3, 4, 7, 0, tzinfo=UTC)  # eight in Berlin


@pytest.fixture
def owner(db) -> User:
    user = User.objects.create_user("lena", "Lena@Example.com", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_reportsubscription"))
    return user


@pytest.fixture
def weekly(owner, now) -> ReportSubscription:
    """The funnel to its owner; `now` is noon of 4 March, so it is owed on the 5th."""
    return subscribe(now=now)


def subscribe(report: str = "funnel", *, now: datetime, rhythm: Rhythm = DAILY, **filters: str) -> ReportSubscription:
    with transaction.atomic():
        return subscriptions.subscribe(report, filters, email="lena@example.com", rhythm=rhythm, by="lena", now=now)


def work(now: datetime) -> int:
    """How many mails were owed."""
    done = 0
    while transactions.run(lambda _: mails.work(now=now)):
        done += 1
    return done


DAY = timedelta(days=1)


def test_a_mail_is_made_when_it_is_owed_and_once(built, weekly, now):
    assert work(MORNING + DAY - timedelta(seconds=1)) == 0
    assert work(MORNING + DAY) == 1
    assert work(MORNING + DAY) == 0
    notice = StaffNotice.objects.get()
    assert notice.to_address == "lena@example.com"
    assert notice.subject == "Funnel of stages: 5 March 2026"
    assert "Subscriber | 100 | 60 | 40 | 40.0%" in notice.text
    assert "<td" in notice.html
    (file,) = notice.attachments
    assert (file["name"], file["content_type"]) == ("funnel.csv", "text/csv")
    assert file["text"].splitlines()[1] == "subscriber,100,60,40,0.4000"
    assert notice.headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    weekly.refresh_from_db()
    assert weekly.next_at == MORNING + 2 * DAY
    assert weekly.last_sent_at == MORNING + DAY


def test_the_same_time_makes_no_second_mail_whoever_tries_again(built, weekly, now):
    assert work(MORNING + DAY) == 1
    ReportSubscription.objects.update(next_at=MORNING + DAY, try_at=MORNING + DAY)  # as if nothing had been written
    assert work(MORNING + DAY) == 1
    assert StaffNotice.objects.count() == 1


def test_times_that_were_missed_are_one_mail(built, weekly, now):
    assert work(MORNING + 9 * DAY) == 1
    weekly.refresh_from_db()
    assert weekly.next_at == MORNING + 10 * DAY


def test_what_is_asked_goes_out_and_the_link_asks_it_again(built, owner, now, settings):
    settings.PUBLIC_URL = "https://crm.example"
    subscribe("attribution", now=now, model="first", currency="EUR")
    assert work(MORNING + DAY) == 1
    text = StaffNotice.objects.get().text
    assert "Model: First touch" in text
    assert "https://crm.example/admin/analytics/reportsubscription/attribution/?model=first&currency=EUR" in text


def test_nobody_gets_mails_of_an_account_that_may_not_see_them(built, weekly, owner, now):
    owner.user_permissions.clear()
    assert work(MORNING + DAY) == 1
    weekly.refresh_from_db()
    assert (weekly.is_active, weekly.stopped_because) == (False, subscriptions.NO_ACCOUNT)
    assert not StaffNotice.objects.exists()
    assert work(MORNING + 5 * DAY) == 0


def test_what_cannot_be_read_is_said_tried_again_and_given_up_until_the_next_time(weekly, now):
    assert work(MORNING + DAY) == 1
    weekly.refresh_from_db()
    assert weekly.problem == "The warehouse has not been built yet."
    assert weekly.next_at == MORNING + DAY
    assert weekly.try_at == MORNING + DAY + mails.AGAIN_AFTER
    (finding,) = mails.look(now)
    assert (finding.key, finding.detail) == (str(weekly.pk), weekly.problem)
    for n in range(1, mails.ATTEMPTS):
        assert work(MORNING + DAY + n * mails.AGAIN_AFTER) == 1
    weekly.refresh_from_db()
    assert (weekly.next_at, weekly.attempts) == (MORNING + 2 * DAY, 0)
    assert weekly.problem, "it is said until one goes out"


def test_a_report_that_comes_late_names_the_time_that_it_is_for(weekly, now):
    work(MORNING + DAY)
    marts.build(MORNING + DAY)
    assert work(MORNING + DAY + mails.AGAIN_AFTER) == 1
    weekly.refresh_from_db()
    assert (weekly.problem, weekly.attempts, list(mails.look(now))) == ("", 0, [])
    assert weekly.last_notice == f"report:{weekly.pk}:20260305T0700Z"


def test_old_numbers_are_said_to_be_old(built, weekly, now):
    later = clock.now() + timedelta(days=3)
    ReportSubscription.objects.update(try_at=later)
    work(later)
    assert "longer ago than it should be" in StaffNotice.objects.get().text


def test_a_mail_says_by_its_readers_clock_when_the_numbers_were_built(weekly, now):
    marts.build(datetime(2026, 3, 5, 2, 30, tzinfo=UTC))
    work(MORNING + DAY)
    notice = StaffNotice.objects.get()
    for words in (notice.text, notice.html):
        assert "Built 5 March 2026, 03:30 (Europe/Berlin)." in words
        assert "than it should be" not in words
        assert "than they should be" not in words


def test_a_mail_that_nobody_took_is_trouble(built, weekly, now):
    work(MORNING + DAY)
    assert list(mails.look(now)) == []
    StaffNotice.objects.update(state="rejected", reason="no_address")
    (finding,) = mails.look(now)
    assert finding.detail == "The last mail was not delivered: rejected (no address)."


def test_more_than_a_mail_holds_is_left_to_the_page(built, weekly, now, monkeypatch):
    monkeypatch.setattr(mails, "LONGEST_FILE", 10)
    monkeypatch.setattr(mails, "ROWS_IN_A_MAIL", 2)
    work(MORNING + DAY)
    notice = StaffNotice.objects.get()
    assert notice.attachments == []
    assert "too many for a file" in notice.text
    assert "and 1 more rows" in notice.text


@pytest.mark.django_db(transaction=True)
def test_two_workers_make_one_mail(built_for_all, owner, now):
    subscribe(now=now)
    begin = threading.Barrier(2)

    def worker() -> None:
        begin.wait()
        try:
            transactions.run(lambda _: mails.work(now=MORNING + DAY))
        finally:
            connection.close()

    workers = [threading.Thread(target=worker) for _ in range(2)]
    for each in workers:
        each.start()
    for each in workers:
        each.join()
    assert StaffNotice.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_the_file_arrives_with_the_mail_and_is_not_kept(built_for_all, owner, now):
    subscribe(now=now)
    work(MORNING + DAY)
    assert notices.deliver_batch("bulk")
    mail = SandboxMail.objects.get()
    assert mail.attachments[0]["text"].startswith("stage,ever,here_now,went_on,share")
    notice = StaffNotice.objects.get()
    assert (notice.state, notice.attachments, notice.html) == ("accepted", [], "")


def test_the_link_of_a_mail_stops_it_only_when_the_button_is_pressed(client, built, weekly):
    client.handler.enforce_csrf_checks = True
    address = f"/reports/{weekly.public_id}/stop"
    page = client.get(address)
    assert page.status_code == 200
    weekly.refresh_from_db()
    assert weekly.is_active
    assert client.post(address + "/", {"List-Unsubscribe": "One-Click"}).status_code == 200
    weekly.refresh_from_db()
    assert (weekly.is_active, weekly.stopped_because) == (False, subscriptions.BY_READER)


@pytest.mark.parametrize("unknown", ["00000000-0000-4000-8000-000000000000", "-" * 36, "a" * 36])
def test_a_link_that_nobody_knows_answers_alike(client, db, unknown):
    assert client.get(f"/reports/{unknown}/stop").status_code == 200
    assert client.post(f"/reports/{unknown}/stop").status_code == 200


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({"report": "nothing"}, ("report",)),
        ({"filters": {"stage": "mql"}}, ("filters", "stage")),
        ({"email": "lena"}, ("email",)),
        ({"rhythm": Rhythm("hour", 1, 8, "UTC")}, ("every",)),
        ({"rhythm": Rhythm("week", 8, 8, "UTC")}, ("on_day",)),
        ({"rhythm": Rhythm("month", 29, 8, "UTC")}, ("on_day",)),
        ({"rhythm": Rhythm("day", 1, 24, "UTC")}, ("at_hour",)),
        ({"rhythm": Rhythm("day", 1, 8, "Berlin")}, ("timezone",)),
    ],
)
def test_what_cannot_go_out_is_refused_with_its_place(db, now, given, place):
    whole = {"report": "funnel", "filters": {}, "email": "lena@example.com", "rhythm": DAILY} | given
    with pytest.raises(BadSubscription) as refused:
        subscriptions.subscribe(
            whole["report"], whole["filters"], email=whole["email"], rhythm=whole["rhythm"], by="lena", now=now
        )
    assert [fault.loc for fault in refused.value.faults] == [place]
