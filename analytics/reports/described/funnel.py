"""How many come to each stage, and how many go on."""

from analytics.reports.report import SHARE, STAGE, Bars, Column, Report

REPORT = Report(
    slug="funnel",
    title="Funnel of stages",
    question="How many contacts come to each stage, and how many go on from there?",
    about=(
        "A contact counts once in every stage that it ever reached. It went on if it reached a later stage afterwards, "
        "whichever way; leaving for good is none."
    ),
    icon="filter_alt",
    reads={"funnel": ("place", "stage", "ever", "here_now", "went_on")},
    columns=(
        Column("stage", "Stage", STAGE),
        Column("ever", "Ever reached", about="Contacts that were in the stage at any time."),
        Column("here_now", "There now", about="Contacts whose stage it is."),
        Column("went_on", "Went on", about="Of those who ever reached it, who reached a later one afterwards."),
        Column("share", "Share that went on", SHARE, about="Went on, of ever reached."),
    ),
    query="""
        SELECT stage, ever, here_now, went_on, round(went_on::numeric / nullif(ever, 0), 4) AS share
          FROM marts.funnel WHERE (SELECT sum(ever) FROM marts.funnel) > 0 ORDER BY place
    """,
    charts=(Bars(("stage",), ("ever", "here_now"), "Contacts by stage"),),
    empty="No contact has a stage yet. Scores and progression rules give them one, and so does a step of a journey.",
)
