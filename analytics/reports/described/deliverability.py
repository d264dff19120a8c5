"""Whether mail arrives, by the domain that it goes to, or comes from."""

from analytics.reports.report import SHARE, TEXT, Bars, Choice, Column, OneOf, Period, Report

REPORT = Report(
    slug="deliverability",
    title="Deliverability by domain",
    question="Does mail arrive, and is it wanted, by provider of mailboxes and by sending domain?",
    about=(
        "What happened on these days (UTC), each message once. Rates of bounces are of what was sent, all others of "
        "what was delivered; a provider that does not report deliveries has none. Opens and clicks are those of people."
    ),
    icon="mark_email_read",
    reads={
        "deliverability": (
            "day",
            "channel",
            "message_class",
            "sending_domain",
            "mailbox_provider",
            "accepted",
            "delivered",
            "opened",
            "clicked",
            "bounced",
            "complained",
            "unsubscribed",
        )
    },
    filters=(
        Period("days", "Days"),
        Choice("class", "Class", {"": "All messages", "marketing": "Marketing", "transactional": "Transactional"}),
        Choice("by", "By", {"mailbox": "Provider of mailboxes", "sending": "Sending domain", "both": "Both"}),
        OneOf("sending", "Sending domain", "sending_domain", "All domains"),
    ),
    columns=(
        Column("mailbox", "Mailboxes", TEXT, nothing="All mailboxes"),
        Column("sending", "Sending domain", TEXT, nothing="All domains"),
        Column("accepted", "Sent", about="Taken by the provider that sends for us."),
        Column("delivered", "Delivered"),
        Column("delivered_share", "Delivered, share", SHARE),
        Column("bounced", "Bounced"),
        Column("bounced_share", "Bounced, share", SHARE),
        Column("opened", "Opened", about="By people, each message once."),
        Column("clicked", "Clicked", about="By people, each message once."),
        Column("complained", "Complaints"),
        Column("complained_share", "Complaints, share", SHARE),
        Column("unsubscribed", "Unsubscribed"),
    ),
    query="""
        SELECT CASE WHEN %(by)s <> 'sending' THEN coalesce(nullif(mailbox_provider, ''), 'unknown') END AS mailbox,
               CASE WHEN %(by)s <> 'mailbox' THEN coalesce(nullif(sending_domain, ''), 'unknown') END AS sending,
               sum(accepted) AS accepted, sum(delivered) AS delivered,
               round(sum(delivered)::numeric / nullif(sum(accepted), 0), 4) AS delivered_share,
               sum(bounced) AS bounced, round(sum(bounced)::numeric / nullif(sum(accepted), 0), 4) AS bounced_share,
               sum(opened) AS opened, sum(clicked) AS clicked, sum(complained) AS complained,
               round(sum(complained)::numeric / nullif(sum(delivered), 0), 5) AS complained_share,
               sum(unsubscribed) AS unsubscribed
          FROM marts.deliverability
         WHERE channel = 'email'
           AND (%(days_from)s::date IS NULL OR day >= %(days_from)s)
           AND (%(days_to)s::date IS NULL OR day <= %(days_to)s)
           AND (%(class)s = '' OR message_class = %(class)s)
           AND (%(sending)s::text IS NULL OR sending_domain = %(sending)s)
         GROUP BY 1, 2
        HAVING sum(accepted) > 0
         ORDER BY accepted DESC, 1, 2
    """,
    charts=(
        Bars(("mailbox", "sending"), ("accepted", "delivered"), "Messages"),
        Bars(("mailbox", "sending"), ("bounced_share", "complained_share"), "Bounces and complaints"),
    ),
    empty="No email was sent in these days.",
)
