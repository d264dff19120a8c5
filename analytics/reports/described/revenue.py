"""What contacts brought in."""

from analytics.reports.report import DATE, INTEGER, MONEY, TEXT, Bars, Choice, Column, OneOf, Period, Report

REPORT = Report(
    slug="revenue",
    title="Revenue",
    question="How much revenue came in, when, and by which events?",
    about=(
        "Events that are revenue, by the day (UTC) on which they happened. Amounts are added up within a currency "
        "only; those without one are of the currency that the warehouse is told to suppose."
    ),
    icon="payments",
    reads={"revenue": ("day", "currency", "source", "sales", "amount")},
    filters=(
        Choice("step", "By", {"month": "Month", "week": "Week", "day": "Day"}),
        Period("days", "Days"),
        OneOf("currency", "Currency", "currency", "All currencies"),
        OneOf("source", "Event", "source", "All events"),
    ),
    columns=(
        Column("begins", "Begins", DATE),
        Column("currency", "Currency", TEXT),
        Column("sales", "Sales", INTEGER),
        Column("amount", "Amount", MONEY),
        Column("mean", "Mean sale", MONEY, about="Amount, by sales."),
        Column("so_far", "Amount so far", MONEY, about="Added up from the first day that is asked for."),
    ),
    query="""
        SELECT begins, currency, sales, amount, mean,
               sum(amount) OVER (PARTITION BY currency ORDER BY begins) AS so_far
          FROM (SELECT date_trunc(%(step)s, day::timestamp)::date AS begins, currency, sum(sales) AS sales,
                       sum(amount) AS amount, sum(amount) / nullif(sum(sales), 0) AS mean
                  FROM marts.revenue
                 WHERE (%(days_from)s::date IS NULL OR day >= %(days_from)s)
                   AND (%(days_to)s::date IS NULL OR day <= %(days_to)s)
                   AND (%(currency)s::text IS NULL OR currency = %(currency)s)
                   AND (%(source)s::text IS NULL OR source = %(source)s)
                 GROUP BY 1, 2) AS stepped
         ORDER BY begins DESC, currency
    """,
    charts=(Bars(("begins", "currency"), ("amount",), "Amount, the latest first"),),
    empty=(
        "No revenue is recorded in these days. Events such as order_completed with a total, or deal_won with an "
        "amount, are revenue; WAREHOUSE_REVENUE_EVENTS names others."
    ),
)
