"""Checking the sending domains: once a day, and whenever somebody asks. The DNS is asked outside of transactions."""

from __future__ import annotations

import json
import logging
from datetime import datetime, timedelta

from django.db import connection

from contacts import clock, doorbell, transactions
from delivery import tallies
from delivery.preflight import checks
from delivery.preflight.dns import Dns, Resolver
from delivery.preflight.verdicts import UNKNOWN, Check

log = logging.getLogger(__name__)

EVERY = timedelta(hours=24)
BELL = "delivery.check_domains"
LANE = "housekeeping"


def ask_for(domain: str) -> bool:
    """Have this domain checked soon; what was found before stays to be read until then. Returns whether it is known."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE sending_domains SET checked_at = NULL WHERE domain = %s", [domain])
        known = cursor.rowcount == 1
    doorbell.ring_on_commit(BELL, LANE)
    return known


def check_batch(resolver: Resolver | None = None) -> bool:
    """Check one domain that is due. Returns whether there was one."""
    domain = transactions.run(_due)
    if domain is None:
        return False
    check(domain, resolver or Dns())
    return True


def _due(now: datetime) -> str | None:
    """Those that mail is sent from are there from their first check on."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO sending_domains (domain, created_at)
            SELECT DISTINCT domain, %s::timestamptz FROM unnest(%s::text[]) AS used (domain) WHERE domain <> ''
                ON CONFLICT (domain) DO NOTHING
            """,
            [now, list(tallies.sending_domains().values())],
        )
        cursor.execute(
            """
            SELECT domain FROM sending_domains WHERE checked_at IS NULL OR checked_at < %s
             ORDER BY checked_at NULLS FIRST, domain LIMIT 1
            """,
            [now - EVERY],
        )
        row = cursor.fetchone()
    return row[0] if row else None


def check(domain: str, resolver: Resolver) -> list[Check]:
    """Check it now and keep what was found. Takes some seconds where the DNS is slow."""
    now = clock.now()
    try:
        found = checks.run(domain, resolver=resolver, now=now)
    except Exception as error:  # else a domain that cannot be checked would be checked for ever
        log.error("a sending domain could not be checked: %s", type(error).__name__)
        found = [Check("spf", UNKNOWN, "It could not be checked because of a fault in this program.")]
    kept = json.dumps({each.name: each.kept() for each in found})
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO sending_domains (domain, created_at, checks, checked_at) VALUES (%s, %s, %s, %s)
                ON CONFLICT (domain) DO UPDATE SET checks = EXCLUDED.checks, checked_at = EXCLUDED.checked_at
            """,
            [domain, now, kept, now],
        )
    return found
