"""PostgreSQL itself, where DATABASE_URL leads to a pooler. A pooler in transaction mode gives every transaction another
session, so whoever needs one to himself (a search path, a session lock) goes past it: DATABASE_DIRECT_URL."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import connection

_AS_PSYCOPG_SAYS = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}


def address() -> dict[str, str]:
    """NAME, USER, PASSWORD, HOST and PORT, as Django's DATABASES has them; empty where there is nothing to go past."""
    return {name: settings.DATABASE_DIRECT[name] for name in _AS_PSYCOPG_SAYS if settings.DATABASE_DIRECT}


def options() -> dict[str, Any]:
    """The driver's options that DATABASE_DIRECT_URL names, sslmode for one."""
    return dict(settings.DATABASE_DIRECT.get("OPTIONS", {}))


def parameters() -> dict[str, Any]:
    """What psycopg is given for a connection of one's own."""
    found = {**connection.get_connection_params(), **options()}
    for name, value in address().items():
        found.pop(_AS_PSYCOPG_SAYS[name], None)
        if value:  # else libpq's own
            found[_AS_PSYCOPG_SAYS[name]] = value
    return {name: value for name, value in found.items() if name not in ("cursor_factory", "context")}
