"""Which touches have a part in revenue and new customers."""

from analytics.reports.report import JOURNEY, MONEY, NUMBER, SHARE, TEXT, Bars, Choice, Column, OneOf, Period, Report

REPORT = Report(
    slug="attribution",
    title="Attribution",
    question="Which journeys and touches lead to revenue and new customers?",
    about=(
        "Each conversion is shared out among the touches before it, by the model chosen: all to the first or the last "
        "touch, to each alike, 40% to the first and the last and the rest between them, or more the nearer they are. "
        "In every model the shares of a conversion add up to one. A touch before a conversion is not its cause: an "
        "experiment with a holdout tells what a journey brought about."
    ),
    icon="call_split",
    reads={
        "attribution_by_touch": (
            "month",
            "model",
            "kind",
            "currency",
            "touch_type",
            "workflow",
            "conversions",
            "amount",
        )
    },
    filters=(
        Choice(
            "model",
            "Model",
            {
                "position": "Position (40, 20, 40)",
                "first": "First touch",
                "last": "Last touch",
                "linear": "Linear",
                "time_decay": "Time decay",
            },
        ),
        Choice("by", "By", {"workflow": "Journey", "touch_type": "Type of touch", "both": "Journey and type"}),
        Choice("kind", "Conversions", {"revenue": "Revenue", "customer": "New customers"}),
        OneOf("currency", "Currency", "currency", "All currencies"),
        Period("months", "Months that begin"),
    ),
    columns=(
        Column("workflow", "Journey", JOURNEY, nothing="No journey"),
        Column("touch_type", "Type of touch", TEXT, nothing="All types"),
        Column("currency", "Currency", TEXT),
        Column("conversions", "Conversions", NUMBER, about="The sum of the shares of conversions."),
        Column("amount", "Amount", MONEY, about="The sum of the shares of revenue, in its currency."),
        Column("share", "Share of conversions", SHARE),
    ),
    query="""
        SELECT CASE WHEN %(by)s = 'touch_type' THEN 'All journeys' ELSE workflow END AS workflow,
               CASE WHEN %(by)s <> 'workflow' THEN touch_type END AS touch_type,
               currency, sum(conversions) AS conversions, sum(amount) AS amount,
               round((sum(conversions) / nullif(sum(sum(conversions)) OVER (), 0))::numeric, 4) AS share
          FROM marts.attribution_by_touch
         WHERE model = %(model)s AND kind = %(kind)s
           AND (%(currency)s::text IS NULL OR currency = %(currency)s)
           AND (%(months_from)s::date IS NULL OR month >= %(months_from)s)
           AND (%(months_to)s::date IS NULL OR month <= %(months_to)s)
         GROUP BY 1, 2, currency
         ORDER BY amount DESC, conversions DESC, 1, 2, currency
    """,
    charts=(
        Bars(("workflow", "touch_type", "currency"), ("amount",), "Amount"),
        Bars(("workflow", "touch_type", "currency"), ("conversions",), "Conversions"),
    ),
    empty=(
        "No revenue is recorded in these months. Events such as order_completed with a total, or deal_won with an "
        "amount, are revenue; WAREHOUSE_REVENUE_EVENTS names others."
    ),
)
