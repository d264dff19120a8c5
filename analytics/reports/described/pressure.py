"""What it does to people to get many messages."""

from analytics.reports.report import SHARE, Bars, Column, Period, Report

REPORT = Report(
    slug="pressure",
    title="Pressure",
    question="What happens to those who get many marketing messages in a week?",
    about=(
        "Each contact counts once in each week (from Monday, UTC) in which a marketing message was made for it, by how "
        "many it received; 10 means ten or more. People who get more messages differ from others in other ways, too."
    ),
    icon="compress",
    reads={"pressure": ("week", "received", "contacts", "held_back", "opened", "left_us")},
    filters=(Period("weeks", "Weeks that begin"),),
    columns=(
        Column("received", "Messages in a week"),
        Column("contacts", "Contacts and weeks"),
        Column("held_back", "Held back", about="Messages that the frequency cap kept from them."),
        Column("opened", "Opened one", about="Contacts and weeks in which at least one was opened by a person."),
        Column("opened_share", "Share that opened", SHARE),
        Column("left_us", "Left", about="Contacts and weeks that ended in an unsubscribe or a complaint."),
        Column("left_share", "Share that left", SHARE),
    ),
    query="""
        SELECT received, sum(contacts) AS contacts, sum(held_back) AS held_back, sum(opened) AS opened,
               round(sum(opened)::numeric / nullif(sum(contacts), 0), 4) AS opened_share, sum(left_us) AS left_us,
               round(sum(left_us)::numeric / nullif(sum(contacts), 0), 4) AS left_share
          FROM marts.pressure
         WHERE (%(weeks_from)s::date IS NULL OR week >= %(weeks_from)s)
           AND (%(weeks_to)s::date IS NULL OR week <= %(weeks_to)s)
         GROUP BY received ORDER BY received
    """,
    charts=(
        Bars(("received",), ("contacts",), "Contacts and weeks, by messages received"),
        Bars(("received",), ("opened_share", "left_share"), "What they did"),
    ),
    empty="No marketing message was made yet.",
)
