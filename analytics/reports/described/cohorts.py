"""Who stays: contacts by the month in which they became known, and buyers by that of their first purchase."""

from analytics.reports.report import MONTH, SHARE, Choice, Column, Heat, Report

REPORT = Report(
    slug="cohorts",
    title="Cohorts and retention",
    question="Of the contacts of a month, how many are still active so many months later, and how many have converted?",
    about=(
        "A cohort is everybody who became known in a month (UTC); for those who buy again, everybody who bought for "
        "the first time in it. Active: did anything in that later month by themselves; what we sent does not count, "
        "what they opened and clicked does. Converted: brought revenue or became a customer by the end of that month. "
        "The newest month is not over."
    ),
    icon="grid_on",
    reads={
        "cohorts": ("cohort", "months_later", "contacts", "active", "converted"),
        "retention": ("cohort", "months_later", "buyers", "bought"),
    },
    filters=(
        Choice(
            "measure",
            "Measure",
            {"active": "Active in the month", "converted": "Converted until then", "bought": "Bought again"},
        ),
        Choice("months", "Cohorts", {"12": "The last 12", "24": "The last 24", "1200": "All"}),
    ),
    columns=(
        Column("cohort", "Cohort", MONTH),
        Column("months_later", "Months later"),
        Column("contacts", "Contacts", about="How many the cohort began with."),
        Column("count", "Of these", about="How many were active or bought in that month, or had converted by then."),
        Column("share", "Share", SHARE),
    ),
    query="""
        WITH measured AS (
            SELECT cohort, months_later, contacts,
                   CASE %(measure)s WHEN 'active' THEN active ELSE converted END AS count
              FROM marts.cohorts WHERE %(measure)s <> 'bought'
             UNION ALL
            SELECT cohort, months_later, buyers, bought FROM marts.retention WHERE %(measure)s = 'bought'
        )
        SELECT cohort, months_later, contacts, count, round(count::numeric / nullif(contacts, 0), 4) AS share
          FROM measured
         WHERE cohort > (SELECT max(cohort) FROM measured) - make_interval(months => %(months)s::int)
         ORDER BY cohort DESC, months_later
    """,
    charts=(Heat("cohort", "months_later", "share", "contacts", "Share of each cohort, by months later"),),
    empty="There are no contacts in any cohort yet.",
)
