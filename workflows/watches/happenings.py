"""Whether an event happened to somebody after they entered, or after they began to wait: what the log says, in SQL.

Counted are events that consent allows to count, of people and not of mail scanners, and never the entry event itself.
When an event happened is what its sender says (`occurred_at`); one that is recorded late counts by its own time. Two
clocks are not one: senders cut their times to the second, so of the second in which the waiting began, what was
recorded after that counts, too."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from contacts.conditions import Aliases, Condition, Sql, compile_condition
from contacts.conditions.fragment import TRUE, fill
from contacts.conditions.sql import ENGAGEMENT

ALIAS = "happened"  # of the events that are looked for

# The entry event's own time, or that of the entry where that is earlier: another clock may be behind. A row to join, so
# that the text is read once for each enrolment, and not for each partition of the log.
ENTRY = "(SELECT COALESCE(LEAST(instant_of(t.trigger -> 'occurred_at'), t.entered_at), t.entered_at) AS at OFFSET 0)"

# An event a day ahead of its recording is rejected at the door (a day for good measure): so the window on `occurred_at`
# is also one on `recorded_at`, which spares the partitions before it.
_FIRST = """
(SELECT {columns} FROM contact_events AS happened
  WHERE happened.contact_id = t.contact_id AND happened.type = {type} AND happened.processed
    AND happened.occurred_at >= date_trunc('second', {since})
    AND (happened.occurred_at >= {since} OR happened.recorded_at >= {registered})
    AND happened.recorded_at > {since} - interval '2 days'
    AND happened.id IS DISTINCT FROM t.entry_event_id
    AND {human} AND {until} AND {where}
  ORDER BY happened.occurred_at, happened.id LIMIT 1)
"""
_HUMAN = Sql("(happened.properties ->> 'is_machine') IS DISTINCT FROM 'true'", [])


def first(
    event: str,
    where: Condition | None,
    *,
    now: datetime,
    aliases: Aliases,
    since: str,
    registered: str,
    until: str = "",
    columns: str = "happened.id",
) -> Sql:
    """The first such event as a scalar subquery over `workflow_enrolments t JOIN contacts c`; NULL where there is none.

    `since`: from when on it counts; `registered`: when that was known here; `until`: before when it must have happened
    or been recorded; all three are SQL expressions. `columns`: what is selected of it."""
    inside = replace(aliases, event=ALIAS)
    before = f"(happened.occurred_at < {until} OR happened.recorded_at < {until})" if until else ""
    return fill(
        _FIRST,
        columns=Sql(columns, []),
        type=Sql("%s", [event]),
        since=Sql(since, []),
        registered=Sql(registered, []),
        human=_HUMAN if event in ENGAGEMENT else TRUE,
        until=Sql(before, []) if before else TRUE,
        where=compile_condition(where, now=now, aliases=inside) if where is not None else TRUE,
    )
