"""How long it takes from a journey's first step to a stage."""

from analytics.reports.report import DAYS, JOURNEY, SHARE, STAGE, Choice, Column, OneOf, Ranges, Report

REPORT = Report(
    slug="time-to-mql",
    title="Time to MQL",
    question="How many of those who enter a journey become marketing qualified, and how soon?",
    about=(
        "Days from the first entry into the journey to the first time in the stage, of those who came to it "
        "afterwards; who had come to it before does not count. All contacts: from the day on which they became known. "
        "Who has not come to it yet has no part in the days: where the share is small, these are the quick ones."
    ),
    icon="timer",
    reads={
        "time_to_stage": (
            "entry_workflow",
            "stage",
            "contacts",
            "reached",
            "share",
            "p25_days",
            "median_days",
            "p75_days",
            "p90_days",
        )
    },
    filters=(
        Choice(
            "stage",
            "Stage",
            {
                "mql": "MQL",
                "lead": "Lead",
                "sql": "SQL",
                "opportunity": "Opportunity",
                "customer": "Customer",
                "churned": "Churned",
            },
        ),
        OneOf("workflow", "Journey", "entry_workflow", "All journeys", JOURNEY),
        Choice("order", "Order", {"share": "Most first", "fastest": "Fastest first", "entered": "Largest first"}),
    ),
    columns=(
        Column("workflow", "Journey", JOURNEY, nothing="All contacts"),
        Column("stage", "Stage", STAGE),
        Column("contacts", "Entered", about="Contacts that entered the journey and had not been in the stage before."),
        Column("reached", "Reached it", about="Of these, who came to the stage afterwards."),
        Column("share", "Share", SHARE, about="Reached it, of entered."),
        Column("p25", "A quarter within", DAYS),
        Column("median", "Half within", DAYS, about="The median."),
        Column("p75", "Three quarters within", DAYS),
        Column("p90", "90% within", DAYS),
    ),
    query="""
        SELECT entry_workflow AS workflow, stage, contacts, reached, share, p25_days AS p25, median_days AS median,
               p75_days AS p75, p90_days AS p90
          FROM marts.time_to_stage
         WHERE stage = %(stage)s AND (%(workflow)s::text IS NULL OR entry_workflow = %(workflow)s)
         ORDER BY CASE %(order)s WHEN 'fastest' THEN median_days WHEN 'entered' THEN -contacts ELSE -share END,
                  contacts DESC, entry_workflow
    """,
    charts=(Ranges(("workflow",), "p25", "median", "p75", "p90", "Days from entry to the stage"),),
    empty="Nobody came to this stage after entering a journey yet.",
)
