"""The views of schema `reporting`: stable names and types for Metabase, Superset, Grafana and SQL by hand. Nothing in
them is about a person.

Those over marts go through a function each, whose body PostgreSQL looks at when it is called and not before: a build
replaces the tables of the marts and drops whatever depends on them, and a dashboard must not lose its view for that.
PostgreSQL puts such a function's query in its place, so filters reach the mart. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SCHEMA = "reporting"
TEXT, DAY, AT, COUNT, PLACE, NUMBER = "text", "date", "timestamptz", "bigint", "integer", "numeric"


@dataclass(frozen=True)
class View:
    """`columns`: name -> (type, what it is). `mart`: where they are; else `query`, which has them in this order."""

    name: str
    about: str
    columns: Mapping[str, tuple[str, str]]
    mart: str = ""
    query: str = ""


_WORKFLOW = (TEXT, "The workflow's slug; null where there is none.")
_STAGE = (TEXT, "The stage's key: subscriber, lead, mql, sql, opportunity, customer or churned.")
_CURRENCY = (TEXT, "The currency; amounts of different ones are never added up.")
_SPREAD = {
    "p25_days": (NUMBER, "A quarter took at most so many days."),
    "median_days": (NUMBER, "Half took at most so many days."),
    "p75_days": (NUMBER, "Three quarters took at most so many days."),
    "p90_days": (NUMBER, "Nine of ten took at most so many days."),
    "mean_days": (NUMBER, "The mean."),
}

VIEWS: Sequence[View] = (
    View(
        "funnel",
        "How many contacts came to each stage, are in it, and went on. As of the last build.",
        {
            "place": (PLACE, "The stage's place in the order, from 1."),
            "stage": _STAGE,
            "ever": (COUNT, "Contacts that were ever in it."),
            "here_now": (COUNT, "Contacts that are in it."),
            "went_on": (COUNT, "Of those who ever were, who came to a later stage afterwards."),
        },
        mart="funnel",
    ),
    View(
        "time_in_stage",
        "How long contacts stay in a stage, by the workflow that they were in first. As of the last build.",
        {
            "stage": _STAGE,
            "entry_workflow": _WORKFLOW,
            "stays": (COUNT, "How often somebody came into the stage."),
            "still_there": (COUNT, "Stays that are not over, which have no part in the days."),
            **_SPREAD,
        },
        mart="time_in_stage",
    ),
    View(
        "time_to_stage",
        "How long it takes to come to a stage for the first time: since the contact is known (no entry workflow) and "
        "since each workflow that they entered before. As of the last build.",
        {
            "entry_workflow": _WORKFLOW,
            "stage": _STAGE,
            "contacts": (COUNT, "Contacts that entered and had not been in the stage."),
            "reached": (COUNT, "Of these, who came to it."),
            **_SPREAD,
        },
        mart="time_to_stage",
    ),
    View(
        "attribution",
        "Conversions shared out among the touches before them. Choose one model, one kind and one currency before you "
        "add up. As of the last build.",
        {
            "month": (DAY, "The first day of the month (UTC) of the conversion."),
            "model": (TEXT, "first, last, linear, position or time_decay."),
            "kind": (TEXT, "revenue or customer."),
            "currency": _CURRENCY,
            "touch_type": (TEXT, "The channel of a message or the type of an event; direct: no touch before it."),
            "workflow": _WORKFLOW,
            "conversions": (NUMBER, "The sum of the shares of conversions."),
            "amount": (NUMBER, "The sum of the shares of revenue."),
        },
        mart="attribution_by_touch",
    ),
    View(
        "revenue",
        "Revenue by day (UTC), currency and event. As of the last build.",
        {
            "day": (DAY, "The day (UTC)."),
            "currency": _CURRENCY,
            "source": (TEXT, "The type of the event that said so."),
            "sales": (COUNT, "How many there were."),
            "amount": (NUMBER, "Their sum."),
        },
        mart="revenue",
    ),
    View(
        "cohorts",
        "Contacts by the month in which they became known, so many months later. As of the last build.",
        {
            "cohort": (DAY, "The first day of the month (UTC)."),
            "months_later": (PLACE, "0: the month itself."),
            "contacts": (COUNT, "How many became known in the month."),
            "active": (COUNT, "Of these, who did anything in the later month."),
            "converted": (COUNT, "Of these, who had converted by its end."),
        },
        mart="cohorts",
    ),
    View(
        "retention",
        "Buyers by the month of their first purchase, so many months later. As of the last build.",
        {
            "cohort": (DAY, "The first day of the month (UTC)."),
            "months_later": (PLACE, "0: the month itself."),
            "buyers": (COUNT, "How many bought for the first time in the month."),
            "bought": (COUNT, "Of these, who bought in the later month."),
        },
        mart="retention",
    ),
    View(
        "experiments",
        "Every variant of every experiment. As of the last build.",
        {
            "experiment": (TEXT, "Its slug."),
            "variant": (TEXT, "The variant's key; holdout: who got nothing."),
            "assigned": (COUNT, "Contacts that it was given to."),
            "settled": (COUNT, "Of these, whose time to convert is over."),
            "converted": (COUNT, "Of the settled."),
            "median_hours": (NUMBER, "Half of the converted took at most so many hours."),
        },
        mart="experiment_results",
    ),
    View(
        "pressure",
        "Weeks of contacts, by how many marketing messages they got in them. As of the last build.",
        {
            "week": (DAY, "The Monday with which it begins (UTC)."),
            "received": (PLACE, "Messages; 10 is ten or more."),
            "contacts": (COUNT, "Contacts that got so many in the week."),
            "held_back": (COUNT, "Messages that the frequency cap kept from them."),
            "opened": (COUNT, "Contacts of whom a person opened at least one."),
            "left_us": (COUNT, "Contacts that unsubscribed or complained."),
        },
        mart="pressure",
    ),
    View(
        "deliverability",
        "What happened to messages on a day (UTC), each once. As of the last build.",
        {
            "day": (DAY, "The day (UTC)."),
            "channel": (TEXT, "email, sms or push."),
            "message_class": (TEXT, "marketing or transactional."),
            "provider": (TEXT, "Who sends for us."),
            "sending_domain": (TEXT, "The domain it comes from."),
            "mailbox_provider": (TEXT, "Who keeps the mailbox."),
            "accepted": (COUNT, "Taken by the provider."),
            "delivered": (COUNT, "Reported as delivered."),
            "opened": (COUNT, "Opened by a person."),
            "clicked": (COUNT, "Clicked by a person."),
            "hard_bounced": (COUNT, "Bounced for good."),
            "soft_bounced": (COUNT, "Bounced for now."),
            "complained": (COUNT, "Reported as spam."),
            "unsubscribed": (COUNT, "Led to an unsubscribe."),
        },
        mart="deliverability",
    ),
    View(
        "workflow_counters",
        "What happened in each step of each workflow, by day (UTC), as it is now. An empty step is the workflow.",
        {
            "day": (DAY, "The day (UTC)."),
            "workflow": (TEXT, "The workflow's slug."),
            "version": (PLACE, "The version's number; null where it is of none."),
            "step": (TEXT, "The step's key; empty: the workflow."),
            "metric": (TEXT, "entered, completed, exited:<reason>, accepted, delivered, opened, clicked and others."),
            "facet": (TEXT, "Empty: all of it. template:<slug>, variant:<experiment>:<variant>: the part of it."),
            "amount": (COUNT, "How many."),
        },
        query="""
            SELECT counted.day, w.slug, v.number, counted.step, counted.metric, counted.facet, sum(counted.amount)
              FROM (SELECT day, workflow_id, version_id, step, metric, facet, amount FROM public.counters
                     UNION ALL
                    SELECT day, workflow_id, version_id, step, metric, facet, amount FROM public.counter_deltas
                   ) AS counted
              JOIN public.workflows w ON w.id = counted.workflow_id
              LEFT JOIN public.workflow_versions v ON v.id = counted.version_id
             GROUP BY 1, 2, 3, 4, 5, 6
        """,
    ),
    View(
        "delays",
        "How long things took, as a histogram of each day (UTC); buckets are not cumulative.",
        {
            "day": (DAY, "The day (UTC)."),
            "name": (TEXT, "event_to_enrolment, event_to_provider, timer or webhook."),
            "lane": (TEXT, "urgent or bulk."),
            "up_to_ms": (PLACE, "The bucket's end in milliseconds; -1: longer than all."),
            "count": (COUNT, "How many."),
            "sum_ms": (COUNT, "Their milliseconds, added up."),
        },
        query="""
            SELECT day, name, lane, up_to_ms, sum(count), sum(sum_ms)
              FROM (SELECT day, name, lane, up_to_ms, count, sum_ms FROM public.latencies
                     UNION ALL
                    SELECT day, name, lane, up_to_ms, count, sum_ms FROM public.latency_deltas) AS measured
             GROUP BY 1, 2, 3, 4
        """,
    ),
    View(
        "builds",
        "When the marts were built: what `as of` means for every other view here.",
        {
            "kind": (TEXT, "nightly, by_hand or full_refresh."),
            "state": (TEXT, "queued, running, finished or failed."),
            "requested_at": (AT, "When somebody, or the night, asked for it."),
            "started_at": (AT, "When it began."),
            "finished_at": (AT, "When it ended."),
        },
        query="SELECT kind, state, requested_at, started_at, finished_at FROM public.warehouse_runs",
    ),
)


def statements(view: View) -> list[str]:
    """What makes the view and says what it is."""
    made = f"{SCHEMA}.{view.name}"
    if view.mart:
        returned = ", ".join(f"{name} {kind}" for name, (kind, _) in view.columns.items())
        chosen = ", ".join(f"m.{name}::{kind}" for name, (kind, _) in view.columns.items())
        read = f"{SCHEMA}.read_{view.name}"
        made_of = [
            f"CREATE FUNCTION {read}() RETURNS TABLE ({returned}) LANGUAGE sql STABLE AS"
            f" 'SELECT {chosen} FROM marts.{view.mart} AS m'",
            f"COMMENT ON FUNCTION {read}() IS 'What {made} reads.'",
            f"CREATE VIEW {made} AS SELECT * FROM {read}()",
        ]
    else:
        named = ", ".join(view.columns)
        cast = ", ".join(f"{name}::{kind} AS {name}" for name, (kind, _) in view.columns.items())
        made_of = [f"CREATE VIEW {made} AS SELECT {cast} FROM ({view.query}) AS read ({named})"]
    return [
        *made_of,
        f"COMMENT ON VIEW {made} IS {_quoted(view.about)}",
        *(f"COMMENT ON COLUMN {made}.{name} IS {_quoted(about)}" for name, (_, about) in view.columns.items()),
    ]


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
