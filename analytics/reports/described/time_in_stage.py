"""How long contacts stay in a stage, by the journey through which they came."""

from analytics.reports.report import DAYS, JOURNEY, STAGE, Bars, Choice, Column, OneOf, Ranges, Report

REPORT = Report(
    slug="time-in-stage",
    title="Time in stage",
    question="How long do contacts stay in a stage, and does the journey that they came through make a difference?",
    about=(
        "Days between coming into a stage and leaving it, of stays that are over; who is still there is counted beside "
        "them. The journey is the first one that a contact was in before the stage."
    ),
    icon="hourglass_top",
    reads={
        "time_in_stage": (
            "stage",
            "entry_workflow",
            "stays",
            "still_there",
            "p25_days",
            "median_days",
            "p75_days",
            "p90_days",
            "mean_days",
            "within_1_day",
            "within_7_days",
            "within_30_days",
            "within_90_days",
            "later",
        )
    },
    filters=(
        OneOf("stage", "Stage", "stage", "All stages", STAGE),
        OneOf("workflow", "Journey", "entry_workflow", "All journeys", JOURNEY),
        Choice("order", "Order", {"stage": "By stage", "slowest": "Slowest first", "fastest": "Fastest first"}),
    ),
    columns=(
        Column("stage", "Stage", STAGE),
        Column("workflow", "Journey", JOURNEY, nothing="No journey before"),
        Column("stays", "Stays", about="How often somebody came into the stage."),
        Column("still_there", "Still there", about="Stays that are not over."),
        Column("p25", "A quarter within", DAYS),
        Column("median", "Half within", DAYS, about="The median."),
        Column("p75", "Three quarters within", DAYS),
        Column("p90", "90% within", DAYS),
        Column("mean", "Mean", DAYS),
        Column("day", "Under a day", about="Stays that are over, by how long they took."),
        Column("week", "1 to 7 days"),
        Column("month", "7 to 30 days"),
        Column("quarter", "30 to 90 days"),
        Column("later", "Longer"),
    ),
    query="""
        SELECT stage, entry_workflow AS workflow, stays, still_there, p25_days AS p25, median_days AS median,
               p75_days AS p75, p90_days AS p90, mean_days AS mean, within_1_day AS day, within_7_days AS week,
               within_30_days AS month, within_90_days AS quarter, later
          FROM marts.time_in_stage
         WHERE (%(stage)s::text IS NULL OR stage = %(stage)s)
           AND (%(workflow)s::text IS NULL OR entry_workflow = %(workflow)s)
         ORDER BY CASE %(order)s WHEN 'slowest' THEN -median_days WHEN 'fastest' THEN median_days END NULLS LAST,
                  array_position(
                      ARRAY['subscriber', 'lead', 'mql', 'sql', 'opportunity', 'customer', 'churned'], stage::text),
                  stays DESC, entry_workflow
    """,
    charts=(
        Ranges(("stage", "workflow"), "p25", "median", "p75", "p90", "Days in the stage"),
        Bars(
            ("stage", "workflow"), ("day", "week", "month", "quarter", "later"), "Stays by their length", stacked=True
        ),
    ),
    empty="No contact has come into a stage yet.",
)
