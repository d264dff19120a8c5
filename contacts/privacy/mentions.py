"""Where people are named outside their own rows: refused rows of imports, refused events, conflicts that others have
with their names, the admin's log. Found by their names, so while the names are still there."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from datetime import datetime

from django.db import connection

from contacts import quarantine
from contacts.guarded import guarded_path
from contacts.privacy.tombstones import Name

SEARCH_SECONDS = 60  # these searches have no index: they read tables that retention keeps short


def forget(names: Collection[Name], *, contact_ids: Sequence[int], now: datetime) -> None:
    """In the transaction of the erasure, before it locks anybody."""
    _give_time()
    quarantine.forget([value for _, value in sorted(names)])
    with connection.cursor() as cursor:
        if names:
            pattern = _pattern({value for _, value in names})
            cursor.execute("UPDATE import_rejects SET row = '' WHERE row ~* %s", [pattern])
            cursor.execute(
                "UPDATE django_admin_log SET object_repr = 'Erased', change_message = ''"
                " WHERE object_repr ~* %(names)s OR change_message ~* %(names)s",
                {"names": pattern},
            )
        cursor.execute(
            """
            UPDATE django_admin_log l SET object_repr = 'Erased', change_message = '' FROM django_content_type t
             WHERE t.id = l.content_type_id AND t.app_label = 'contacts' AND t.model = 'contact'
               AND l.object_id = ANY(%s)
            """,
            [[str(each) for each in contact_ids]],
        )
        # somebody else once said a name of theirs: that conflict holds it
        with guarded_path():
            cursor.execute(
                "UPDATE contact_changes SET old = NULL, new = NULL"
                " WHERE kind IN ('identity_conflict', 'left_apart') AND old = ANY(%s::jsonb[])",
                [[json.dumps(each) for each in contact_ids]],
            )


def _give_time() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = '{SEARCH_SECONDS}s'")


def _pattern(values: Collection[str]) -> str:
    """Any of these as a whole word, so that the customer 17 is not found in 2017. Pure."""
    return rf"(^|[^[:alnum:]])({'|'.join(re.escape(value) for value in sorted(values))})($|[^[:alnum:]])"
