"""Rehearsals that somebody asked for: rows, and a process of its own for each, one after another.

A process says every second how far it is. One that is asked to stop, or takes too long, leaves its scratch empty and
ends; one that was killed is silent, and its row says so."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction

from contacts import clock
from workflows.models import Rehearsal

BELL, LANE = "workflows.rehearse", "housekeeping"
SILENCE = timedelta(seconds=90)  # of a process that is taken for gone
UNDER_WAY = ("running", "stopping")


def stop(rehearsal_id: int, *, now: datetime) -> None:
    """A queued one ends at once, a running one within a second or so."""
    Rehearsal.objects.filter(pk=rehearsal_id, state="queued").update(state="stopped", finished_at=now)
    Rehearsal.objects.filter(pk=rehearsal_id, state="running").update(state="stopping")


def is_work_waiting(*, now: datetime) -> bool:
    """For the sweep: a queued one that may begin, or one whose process is gone."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT COALESCE(bool_or(state = ANY(%(running)s) AND beat_at < %(silent)s), false)
                   OR COALESCE(bool_or(state = 'queued'), false)
                      AND NOT COALESCE(bool_or(state = ANY(%(running)s)), false)
              FROM rehearsals WHERE state IN ('queued', 'running', 'stopping')
            """,
            {"running": list(UNDER_WAY), "silent": now - SILENCE},
        )
        return bool(cursor.fetchone()[0])


def start_one() -> bool:
    """Bury what is gone, and start the oldest queued one if none is under way. Never says that there is more: the
    next begins when this one ends."""
    with transaction.atomic():
        now = clock.now()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('rehearsals'))")
        Rehearsal.objects.filter(state__in=UNDER_WAY, beat_at__lt=now - SILENCE).update(
            state="failed", error="the process ended before its time", finished_at=now
        )
        row = Rehearsal.objects.filter(state="queued").order_by("id").first()
        if row is None or Rehearsal.objects.filter(state__in=UNDER_WAY).exists():
            return False
        Rehearsal.objects.filter(pk=row.pk).update(state="running", started_at=now, beat_at=now)
    subprocess.Popen(  # noqa: S603  (our own command)
        [sys.executable, str(settings.BASE_DIR / "manage.py"), "rehearse", "--run", str(row.public_id)],
        cwd=settings.BASE_DIR,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,  # the worker may end before it
    )
    return False
