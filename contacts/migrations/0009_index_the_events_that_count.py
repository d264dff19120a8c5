"""The index of a contact's events by type keeps only those that count (docs/decisions/0034): conditions, waits and
scores never ask about others, and the index alone can then say how many there are. It is built beside the old one,
month by month, and nobody is kept from recording meanwhile; to drop the old one, the log is locked for a moment."""

from django.db import migrations

OLD, NEW = "contact_events_of_a_contact", "contact_events_that_count"
COLUMNS = "(contact_id, type, occurred_at)"
_WITHOUT = """
SELECT i.inhrelid::regclass::text FROM pg_inherits i
 WHERE i.inhparent = 'contact_events'::regclass
   AND NOT EXISTS (SELECT FROM pg_inherits attached JOIN pg_index x ON x.indexrelid = attached.inhrelid
                    WHERE attached.inhparent = %s::regclass AND x.indrelid = i.inhrelid)
 ORDER BY 1
"""


def _replace(schema_editor, old: str, new: str, which: str) -> None:
    """A month that is made from here on gets the new index with the others."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(f"CREATE INDEX IF NOT EXISTS {new} ON ONLY contact_events {COLUMNS} {which}")
        cursor.execute(_WITHOUT, [new])
        for (partition,) in cursor.fetchall():
            own = f"{partition}_{new.removeprefix('contact_events_')}"
            cursor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {own}")  # of an attempt that broke off
            cursor.execute(f"CREATE INDEX CONCURRENTLY {own} ON {partition} {COLUMNS} {which}")
            cursor.execute(f"ALTER INDEX {new} ATTACH PARTITION {own}")
        cursor.execute(f"DROP INDEX IF EXISTS {old}")


def forwards(apps, schema_editor) -> None:
    _replace(schema_editor, OLD, NEW, "WHERE processed")


def backwards(apps, schema_editor) -> None:
    _replace(schema_editor, NEW, OLD, "")


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("contacts", "0008_index_only_the_merged")]

    operations = [migrations.RunPython(forwards, backwards)]
