"""How the reports of each provider come in: the last one, how many, how far behind we are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection

LOOKED_AT = 20_000  # the newest bodies that are looked at: a look costs the same however many lie there
DAY = timedelta(days=1)

_INFLOWS = """
    WITH newest AS (
        SELECT provider, received_at, folded_at, error FROM webhook_inbox ORDER BY id DESC LIMIT %(most)s),
    open AS (
        SELECT provider, count(*) AS waiting, min(received_at) AS since
          FROM (SELECT provider, received_at FROM webhook_inbox WHERE folded_at IS NULL ORDER BY id LIMIT %(most)s) o
         GROUP BY provider),
    heard AS (
        SELECT provider, max(received_at) AS last_at,
               count(*) FILTER (WHERE received_at > %(since)s) AS of_day,
               count(*) FILTER (WHERE received_at > %(since)s AND error <> '') AS unread,
               percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM folded_at - received_at))
                   FILTER (WHERE received_at > %(since)s AND folded_at IS NOT NULL) AS taken_in
          FROM newest GROUP BY provider)
    SELECT COALESCE(heard.provider, open.provider), heard.last_at, COALESCE(heard.of_day, 0),
           COALESCE(heard.unread, 0), heard.taken_in, COALESCE(open.waiting, 0), open.since,
           (SELECT count(*) = %(most)s AND min(received_at) > %(since)s FROM newest)
      FROM heard FULL JOIN open USING (provider)
"""


@dataclass(frozen=True)
class Inflow:
    """`of_day`: bodies received in the last 24 hours (`is_more`: at least so many), of which `unread` could not be read
    in whole. `taken_in_seconds`: within which 95 of 100 were folded; None where none was. `waiting` are not folded
    yet, the oldest since `waiting_since`."""

    last_at: datetime | None = None
    of_day: int = 0
    unread: int = 0
    taken_in_seconds: float | None = None
    waiting: int = 0
    waiting_since: datetime | None = None
    is_more: bool = False

    def behind_seconds(self, now: datetime) -> float:
        """How old the oldest report is that is not taken in; 0 where there is none."""
        return max(0.0, (now - self.waiting_since).total_seconds()) if self.waiting_since else 0.0


def inflows(*, now: datetime) -> Mapping[str, Inflow]:
    """By provider, those of whom something lies in the inbox, which remembers as long as WEBHOOK_RETENTION. One
    statement."""
    with connection.cursor() as cursor:
        cursor.execute(_INFLOWS, {"most": LOOKED_AT, "since": now - DAY})
        return {provider: Inflow(*facts) for provider, *facts in cursor.fetchall()}
