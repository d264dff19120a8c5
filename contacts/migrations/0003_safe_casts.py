"""The one cast that conditions need and PostgreSQL lacks: an instant out of JSON that gives NULL for anything else.

Text becomes an instant only in the ISO 8601 shapes below, with every part checked before the cast, so that the cast
cannot fail: no exception block (a subtransaction per row, and no parallel plans). It is IMMUTABLE in truth: year-first
dates and an explicit offset (UTC where none is written) read the same under every DateStyle and TimeZone.
`contacts.conditions.instants` accepts the same texts; a test compares the two.
"""

from django.db import migrations

INSTANT_OF = r"""
CREATE FUNCTION instant_of(value jsonb) RETURNS timestamptz
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    part text[];
    year integer;
    days_in_month integer;
BEGIN
    IF jsonb_typeof(value) <> 'string' THEN
        RETURN NULL;
    END IF;
    part := regexp_match(value #>> '{}',
        '^([1-9][0-9]{3})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])'
        '(?:[Tt ]([01][0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9])(\.[0-9]{1,9})?)?'
        '([Zz]|[+-](?:0[0-9]|1[0-5])(?::?[0-5][0-9])?)?)?$');
    IF part IS NULL THEN
        RETURN NULL;
    END IF;
    year := part[1]::integer;
    days_in_month := CASE
        WHEN part[2] IN ('04', '06', '09', '11') THEN 30
        WHEN part[2] <> '02' THEN 31
        WHEN mod(year, 4) = 0 AND (mod(year, 100) <> 0 OR mod(year, 400) = 0) THEN 29
        ELSE 28
    END;
    IF part[3]::integer > days_in_month THEN
        RETURN NULL;
    END IF;
    RETURN (
        part[1] || '-' || part[2] || '-' || part[3] || ' '
        || COALESCE(part[4], '00') || ':' || COALESCE(part[5], '00') || ':' || COALESCE(part[6], '00')
        || COALESCE(left(part[7], 7), '') || COALESCE(upper(part[8]), 'Z')
    )::timestamptz;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("contacts", "0002_event_log")]

    operations = [migrations.RunSQL(INSTANT_OF, "DROP FUNCTION instant_of(jsonb)")]
