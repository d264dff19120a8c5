"""Programs that use the API. Their keys come and go; the program stays, has somebody who answers for it, and is shut
out with all its keys by one deed."""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction

from contacts import audit, authority

_MAY_ADD, _MAY_CHANGE = "contacts.add_apikey", "contacts.change_apikey"
LONGEST_NAME, LONGEST_DESCRIPTION = 200, 1_000


class BadAccount(ValueError):
    """Such a service account cannot be; the message says why."""


def add(*, name: str, now: datetime, description: str = "", owner: str = "") -> int:
    """Make one in the caller's transaction and return its id. `owner`: the username of whom to ask about it, or empty.
    Raises NotAllowed, BadAccount."""
    authority.require(_MAY_ADD)
    name, description = name.strip(), description.strip()
    if not name:
        raise BadAccount("a service account needs a name: that of the program")
    if len(name) > LONGEST_NAME or len(description) > LONGEST_DESCRIPTION:
        raise BadAccount(f"a name has at most {LONGEST_NAME} characters, a description {LONGEST_DESCRIPTION:,}")
    owner_id = _staff(owner)
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO service_accounts (name, description, owner_id, created_at) VALUES (%s, %s, %s, %s)"
                " RETURNING id",
                [name, description, owner_id, now],
            )
            account_id = int(cursor.fetchone()[0])
    except IntegrityError as error:
        raise BadAccount(f"there is a service account {name} already") from error
    audit.note("service_account.created", of=("service_account", account_id), name=name, after={"owner": owner or None})
    return account_id


def disable(account_id: int, *, now: datetime) -> bool:
    """From now on every key of it is refused, in the caller's transaction; whether it was at work. Raises
    NotAllowed."""
    return _turn(account_id, "disabled", disabled_at=now)


def enable(account_id: int) -> bool:
    """Its keys open again, but for those that were revoked or have expired; whether it was disabled. Raises
    NotAllowed."""
    return _turn(account_id, "enabled", disabled_at=None)


def change_owner(account_id: int, *, owner: str) -> bool:
    """`owner`: the username of whom to ask from now on, or empty; whether that is somebody else. Raises NotAllowed,
    BadAccount."""
    authority.require(_MAY_CHANGE)
    owner_id = _staff(owner)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT a.name, COALESCE(u.username, '') FROM service_accounts a LEFT JOIN auth_user u ON u.id = a.owner_id"
            " WHERE a.id = %s FOR NO KEY UPDATE OF a",
            [account_id],
        )
        row = cursor.fetchone()
        if row is None:
            raise BadAccount("there is no such service account")
        if row[1] == owner:
            return False
        cursor.execute("UPDATE service_accounts SET owner_id = %s WHERE id = %s", [owner_id, account_id])
    before, after = {"owner": row[1] or None}, {"owner": owner or None}
    audit.note("service_account.given", of=("service_account", account_id), name=row[0], before=before, after=after)
    return True


def named(name: str) -> int:
    """Its id. Raises BadAccount."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM service_accounts WHERE name = %s", [name.strip()])
        row = cursor.fetchone()
    if row is None:
        raise BadAccount(f"there is no service account {name.strip()!r}")
    return int(row[0])


def _turn(account_id: int, deed: str, *, disabled_at: datetime | None) -> bool:
    authority.require(_MAY_CHANGE)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE service_accounts SET disabled_at = %s
             WHERE id = %s AND (disabled_at IS NULL) <> (%s::timestamptz IS NULL) RETURNING name
            """,
            [disabled_at, account_id, disabled_at],
        )
        row = cursor.fetchone()
    if row is None:
        return False
    before, after = {"disabled": disabled_at is None}, {"disabled": disabled_at is not None}
    audit.note(f"service_account.{deed}", of=("service_account", account_id), name=row[0], before=before, after=after)
    return True


def _staff(username: str) -> int | None:
    """Raises BadAccount unless somebody of the staff is called so."""
    if not username:
        return None
    found = User.objects.filter(username=username, is_staff=True, is_active=True).values_list("pk", flat=True).first()
    if found is None:
        raise BadAccount(f"nobody of the staff is called {username!r}")
    return found
