"""Reports by mail: whatever is owed is read, written as a mail with a table and a file, and left with the post office.

The key of a mail names the subscription and the instant that is owed, so it is made once however often somebody tries;
what cannot be read is tried again for a while, said on the page and alerted, and then waits for the next time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.template.loader import render_to_string
from django.urls import reverse

from analytics.health import alerts
from analytics.models import ReportSubscription
from analytics.reports import asked, files, reading, register, rhythm, subscriptions, wording
from analytics.reports.asked import Asked, BadFilters
from analytics.reports.reading import Rows, Unreadable
from analytics.reports.report import Report
from contacts import doorbell
from delivery import notices
from delivery.notices import Notice
from delivery.providers.base import AUTO_SUBMITTED, Attachment

BELL, LANE = "analytics.mail_reports", "housekeeping"
ROWS_IN_A_MAIL = 25
LONGEST_FILE = 1_000_000  # characters; more is not sent, the page has it
AGAIN_AFTER = timedelta(minutes=15)
ATTEMPTS = 8
STALE = timedelta(hours=36)  # older marts are said to be old
PERMISSION = "analytics.view_reportsubscription"


def work(*, now: datetime) -> bool:
    """One mail that is owed, inside the caller's transaction. Returns whether there was one."""
    owed = (
        ReportSubscription.objects.filter(is_active=True, try_at__lte=now)
        .order_by("try_at", "pk")
        .select_for_update(skip_locked=True)
        .first()
    )
    if owed is None:
        return False
    owner = User.objects.filter(username=owed.created_by, is_active=True, is_staff=True).first()
    if owner is None or not owner.has_perm(PERMISSION):
        subscriptions.stop(owed.public_id, because=subscriptions.NO_ACCOUNT)
        return True
    try:
        notice = _notice(owed, owner, now=now)
    except (Unreadable, BadFilters) as error:
        _failed(owed, str(error), now=now)
        return True
    notices.enqueue([notice], now=now)
    owed.last_sent_at, owed.last_notice, owed.problem, owed.failed_at = now, notice.key, "", None
    _go_on(owed, now=now)
    return True


def ring_if_waiting(*, now: datetime) -> None:
    """For the sweep."""
    if ReportSubscription.objects.filter(is_active=True, try_at__lte=now).exists():
        doorbell.ring(BELL, LANE)


def look(now: datetime) -> Iterator[alerts.Finding]:
    """For the alerts: reports that somebody waits for in vain."""
    going = list(ReportSubscription.objects.filter(is_active=True).order_by("pk"))
    last = subscriptions.last_mails(going)
    for each in going:
        if said := subscriptions.trouble(each, last.get(each.pk)):
            yield alerts.Finding(
                key=str(each.pk),
                severity=alerts.WARNING,
                title=f"A report did not go out: {subscriptions.shown(each)['title']}",
                detail=said,
                where=reverse("admin:analytics_reportsubscription_changelist"),
            )


def _go_on(owed: ReportSubscription, *, now: datetime) -> None:
    """To the next time; those that were missed meanwhile are not made up for."""
    owed.next_at = owed.try_at = rhythm.next_after(subscriptions.rhythm_of(owed), max(now, owed.next_at))
    owed.attempts = 0
    owed.save()


def _failed(owed: ReportSubscription, said: str, *, now: datetime) -> None:
    owed.attempts, owed.problem, owed.failed_at = owed.attempts + 1, said, now
    if owed.attempts >= ATTEMPTS:
        _go_on(owed, now=now)
        return
    owed.try_at = now + AGAIN_AFTER
    owed.save()


def _notice(owed: ReportSubscription, owner: User, *, now: datetime) -> Notice:
    """Raises Unreadable and BadFilters."""
    report = register.named(owed.report)
    if report is None:
        raise reading.NotBuilt("There is no such report any more.")
    wanted = asked.read(report, owed.filters)
    rows = reading.read(report, wanted)
    context = _context(owed, report, wanted, rows, now=now)
    stop_url = context["stop_url"]
    return Notice(
        contact_id=None,
        to_address=owed.email,
        subject=f"{report.title}: {now.astimezone(context['zone']):%-d %B %Y}",
        text=render_to_string("analytics/report_mail.txt", context),
        html=render_to_string("analytics/report_mail.html", context),
        key=f"report:{owed.pk}:{owed.next_at:%Y%m%dT%H%MZ}",
        lane="bulk",
        headers={
            AUTO_SUBMITTED: "auto-generated",
            "List-Unsubscribe": f"<{stop_url}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        },
        asked_by_reader=owner.email.strip().lower() == owed.email,
        attachments=context["files"],
    )


def _context(owed: ReportSubscription, report: Report, wanted: Asked, rows: Rows, *, now: datetime) -> dict[str, Any]:
    as_of = reading.as_of()
    zone = rhythm.choose_zone(owed.timezone)
    file = b"".join(files.pieces(report, rows.rows, files.CSV)).decode("utf-8")
    is_attached = len(file) <= LONGEST_FILE
    address = reverse("admin:analytics_report", args=[report.slug])
    return {
        "report": report,
        "said": asked.sentence(report, wanted),
        "headings": [(wording.heading(column), column.is_number) for column in report.columns],
        "rows": [
            [
                (wording.shown(column, value), column.is_number)
                for column, value in zip(report.columns, row, strict=True)
            ]
            for row in rows.rows[:ROWS_IN_A_MAIL]
        ],
        "more": max(0, len(rows.rows) - ROWS_IN_A_MAIL),
        "as_of": f"{as_of.astimezone(zone):%-d %B %Y, %H:%M}" if as_of else "",  # a template would show it in UTC
        "is_stale": as_of is None or now - as_of > STALE,
        "zone": zone,
        "page_url": settings.PUBLIC_URL + address + asked.query(wanted),
        "stop_url": f"{settings.PUBLIC_URL}{reverse('report-stop', args=[owed.public_id])}",
        "when": rhythm.words(subscriptions.rhythm_of(owed)),
        "is_attached": is_attached,
        "files": [Attachment(f"{report.slug}.csv", "text/csv", file)] if is_attached else [],
    }
