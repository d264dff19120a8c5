"""The peer: after a batch of changes every segment is computed anew for everybody, as Mautic's cron job does, and what
differs is written. In the product's own tables, with queries written by hand for each segment, so that PostgreSQL is
free to make sets of them; nobody is told. It is also an independent reading of what should come out."""

from __future__ import annotations

_BOUGHT_RECENTLY = "type = 'bought' AND processed AND occurred_at > now() - interval '30 days' AND occurred_at <= now()"
_OPENED = "type = 'email_opened' AND properties ->> 'is_machine' IS DISTINCT FROM 'true'"
_INSIDE = "SELECT contact_id FROM segment_members m JOIN segments s ON s.id = m.segment_id WHERE s.slug"

QUERIES = {
    "pro": "SELECT id FROM contacts WHERE attributes ->> 'plan' = 'pro'",
    "large": (
        "SELECT id FROM contacts WHERE attributes ->> 'country' IN ('DE', 'FR') "
        "AND (attributes ->> 'company_size')::numeric >= 1000"
    ),
    "directors": "SELECT id FROM contacts WHERE attributes ->> 'job_title' ILIKE '%%director%%'",
    "vip": "SELECT contact_id FROM contact_tags JOIN tags ON tags.id = tag_id WHERE name = 'vip'",
    "buyers": (
        f"SELECT contact_id FROM contact_events WHERE {_BOUGHT_RECENTLY} GROUP BY contact_id HAVING count(*) >= 2"
    ),
    "big-buyers": (
        "SELECT DISTINCT contact_id FROM contact_events "
        "WHERE type = 'bought' AND processed AND (properties ->> 'total')::numeric > 200"
    ),
    "inactive": (
        "SELECT id FROM contacts EXCEPT SELECT contact_id FROM contact_events "
        "WHERE type = 'visited' AND processed AND occurred_at > now() - interval '30 days'"
    ),
    "new": "SELECT id FROM contacts WHERE created_at > now() - interval '30 days'",
    "engaged": (
        f"SELECT contact_id FROM contact_events WHERE {_OPENED} AND processed "
        "AND occurred_at > now() - interval '14 days' "
        "UNION SELECT contact_id FROM contact_events WHERE type = 'visited' AND processed "
        "AND occurred_at > now() - interval '7 days' GROUP BY contact_id HAVING count(*) >= 3"
    ),
    "target": f"({_INSIDE} = 'pro' INTERSECT {_INSIDE} = 'inactive') EXCEPT {_INSIDE} = 'vip'",
}


def rebuild_all() -> None:
    from django.db import connection, transaction

    for slug, query in QUERIES.items():
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"CREATE TEMPORARY TABLE found (id) ON COMMIT DROP AS {query}", [])
            cursor.execute("ANALYZE found")
            cursor.execute("SELECT id FROM segments WHERE slug = %s", [slug])
            (segment_id,) = cursor.fetchone()
            cursor.execute(
                "DELETE FROM segment_members m WHERE segment_id = %s "
                "AND NOT EXISTS (SELECT FROM found WHERE found.id = m.contact_id)",
                [segment_id],
            )
            cursor.execute(
                "INSERT INTO segment_members (segment_id, contact_id, entered_at) SELECT %s, found.id, now() "
                "FROM found WHERE NOT EXISTS "
                "(SELECT FROM segment_members m WHERE m.segment_id = %s AND m.contact_id = found.id)",
                [segment_id, segment_id],
            )
