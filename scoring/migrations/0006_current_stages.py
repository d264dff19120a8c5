"""Where everybody is: derived from the log by triggers on it. They see whoever writes the log: moves, merges, the
undoing of merges, and rehearsals that copy history into a schema of their own."""

from django.db import migrations, models

# Bound to the schema in which they are made: a rehearsal's log is written by a session whose path is the live one.
# A row that comes late, with a smaller id than the one that is known, changes nothing.
TRIGGERS = """
CREATE FUNCTION keep_current_stages() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO lifecycle_current AS known (contact_id, stage, since, event_id)
    SELECT DISTINCT ON (contact_id) contact_id, to_stage, occurred_at, id FROM written ORDER BY contact_id, id DESC
    ON CONFLICT (contact_id) DO UPDATE
       SET stage = EXCLUDED.stage, since = EXCLUDED.since, event_id = EXCLUDED.event_id
     WHERE known.event_id < EXCLUDED.event_id;
    RETURN NULL;
END $$;

CREATE FUNCTION rebuild_current_stages() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    touched bigint[];
BEGIN
    IF TG_OP = 'DELETE' THEN
        SELECT array_agg(DISTINCT contact_id) INTO touched FROM before;
    ELSE
        SELECT array_agg(DISTINCT contact_id) INTO touched
          FROM (SELECT contact_id FROM before UNION ALL SELECT contact_id FROM after) AS changed;
    END IF;
    DELETE FROM lifecycle_current WHERE contact_id = ANY(touched);
    INSERT INTO lifecycle_current (contact_id, stage, since, event_id)
    SELECT DISTINCT ON (contact_id) contact_id, to_stage, occurred_at, id
      FROM lifecycle_events WHERE contact_id = ANY(touched)
       AND NOT EXISTS (SELECT FROM contacts c WHERE c.id = contact_id AND c.erased_at IS NOT NULL)
     ORDER BY contact_id, id DESC;
    RETURN NULL;
END $$;

CREATE TRIGGER lifecycle_events_say_where_people_are AFTER INSERT ON lifecycle_events
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION keep_current_stages();
CREATE TRIGGER lifecycle_events_changed_say_where_people_are AFTER UPDATE ON lifecycle_events
    REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION rebuild_current_stages();
CREATE TRIGGER lifecycle_events_gone_say_where_people_are AFTER DELETE ON lifecycle_events
    REFERENCING OLD TABLE AS before FOR EACH STATEMENT EXECUTE FUNCTION rebuild_current_stages();
"""

WITHOUT_THEM = """
DROP TRIGGER lifecycle_events_say_where_people_are ON lifecycle_events;
DROP TRIGGER lifecycle_events_changed_say_where_people_are ON lifecycle_events;
DROP TRIGGER lifecycle_events_gone_say_where_people_are ON lifecycle_events;
DROP FUNCTION keep_current_stages();
DROP FUNCTION rebuild_current_stages();
"""


class Migration(migrations.Migration):
    dependencies = [("scoring", "0005_scores_and_stages")]

    operations = [
        migrations.CreateModel(
            name="CurrentStage",
            fields=[
                ("contact_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("stage", models.TextField()),
                ("since", models.DateTimeField()),
                ("event_id", models.BigIntegerField()),
            ],
            options={
                "db_table": "lifecycle_current",
                "indexes": [models.Index(fields=["stage", "since", "contact_id"], name="contacts_of_a_stage")],
            },
        ),
        migrations.CreateModel(
            name="ProgressionRun",
            fields=[
                ("rule_key", models.TextField(primary_key=True, serialize=False)),
                ("checked_up_to", models.BigIntegerField(default=0)),
                ("moved", models.BigIntegerField(default=0)),
                ("asked_by", models.TextField()),
                ("asked_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(null=True)),
            ],
            options={"db_table": "lifecycle_progression_runs"},
        ),
        migrations.RunSQL(TRIGGERS, WITHOUT_THEM),
    ]
