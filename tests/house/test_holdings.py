"""Nobody's data lies in a table that export, erasure and merge do not know of."""

import pytest
from django.db import connection

from contacts import holdings

# the profile itself
NOT_A_HOLDING = {"contacts"}
CONTACT_COLUMNS = ["contact_id", "recorded_contact_id", "survivor_id"]


@pytest.mark.django_db
def test_every_table_with_a_contact_in_it_is_declared():
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT DISTINCT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
             WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace
               AND a.attname = ANY(%s) AND NOT a.attisdropped
            """,
            [CONTACT_COLUMNS],
        )
        tables = {name for (name,) in cursor.fetchall()}
    declared = {holding.table for holding in holdings.all_holdings()}
    assert tables - NOT_A_HOLDING - declared == set()


@pytest.mark.django_db
def test_what_is_declared_is_there_to_be_read_and_erased():
    with connection.cursor() as cursor:
        for holding in holdings.all_holdings():
            cursor.execute(
                f"SELECT {', '.join(holding.columns)} FROM {holding.table} WHERE {holding.where}", {"contacts": [0]}
            )
            replaced = ", ".join(f"{column} = {value}" for column, value in (holding.erase or {}).items())
            if replaced:
                cursor.execute(f"UPDATE {holding.table} SET {replaced} WHERE {holding.where}", {"contacts": [0]})
            if holding.contact:
                unique = ", ".join([holding.key, holding.contact, *holding.once])
                cursor.execute(f"SELECT {unique} FROM {holding.table} LIMIT 0")


@pytest.mark.django_db
def test_append_only_tables_are_declared_so():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid WHERE tgname = relname || %s",
            ["_is_append_only"],
        )
        guarded = {name for (name,) in cursor.fetchall()}
    for holding in holdings.all_holdings():
        assert holding.append_only == (holding.table in guarded), holding.table
