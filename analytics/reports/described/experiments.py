"""How the variants of experiments did."""

from analytics.reports.report import HOURS, SHARE, TEXT, Bars, Column, OneOf, Report

REPORT = Report(
    slug="experiments",
    title="Experiments",
    question="How did the variants of each experiment do?",
    about=(
        "Only contacts whose time is over count as settled, and the rate is of these. Whether a difference is more "
        "than chance is said on the page of the experiment, by a test that may be looked at every day."
    ),
    icon="science",
    reads={"experiment_results": ("experiment", "variant", "assigned", "settled", "converted", "median_hours")},
    filters=(OneOf("experiment", "Experiment", "experiment", "All experiments"),),
    columns=(
        Column("experiment", "Experiment", TEXT),
        Column("variant", "Variant", TEXT),
        Column("assigned", "Assigned"),
        Column("settled", "Settled", about="Their time to convert is over."),
        Column("converted", "Converted", about="Of the settled."),
        Column("rate", "Rate", SHARE, about="Converted, of settled."),
        Column("median_hours", "Half converted within", HOURS),
    ),
    query="""
        SELECT experiment, variant, assigned, settled, converted,
               round(converted::numeric / nullif(settled, 0), 4) AS rate, median_hours
          FROM marts.experiment_results
         WHERE (%(experiment)s::text IS NULL OR experiment = %(experiment)s)
         ORDER BY experiment, variant
    """,
    charts=(Bars(("experiment", "variant"), ("rate",), "Rate of conversion"),),
    empty="No published journey has an experiment yet. Put an experiment step into one and choose its goal.",
)
