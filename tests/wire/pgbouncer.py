"""Debian's PgBouncer with the configuration that we ship, before the database of a test."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from django.db import connection

from config import ports

PGBOUNCER = shutil.which("pgbouncer", path=os.environ.get("PATH", "") + ":/usr/sbin")
SHIPPED = Path(settings.BASE_DIR) / "docs" / "operations" / "pgbouncer.ini"
PATIENCE_SECONDS = 30.0


@dataclass(frozen=True)
class Pooler:
    """`url` leads through it, `direct_url` past it."""

    url: str = field(repr=False)
    direct_url: str = field(repr=False)
    user: str
    password: str = field(repr=False)
    port: int

    def pool(self) -> dict[str, Any]:
        """How many clients and sessions it has for us: a row of SHOW POOLS."""
        with psycopg.connect(
            host="127.0.0.1", port=self.port, user=self.user, password=self.password, dbname="pgbouncer",
            autocommit=True, sslmode="disable",
        ) as console:  # fmt: skip
            # the console knows the simple protocol only
            found = console.pgconn.exec_(b"SHOW POOLS")
        names = [(found.fname(number) or b"").decode() for number in range(found.nfields)]
        rows = [
            dict(zip(names, [(found.get_value(row, n) or b"").decode() for n in range(found.nfields)], strict=True))
            for row in range(found.ntuples)
        ]
        return next(row for row in rows if row["database"] == "carillon")


@contextmanager
def running_pgbouncer(*, first_port: int, without: str = "", **changed: str) -> Iterator[Pooler]:
    """`changed`: settings of the file with other values. `without`: a word of its database line that is left out."""
    database = connection.settings_dict
    user, password = str(database["USER"]), str(database["PASSWORD"])
    # a folder of its own: the server's account may be unable to enter a test's, and root is refused
    folder = Path(tempfile.mkdtemp(prefix="carillon-pgbouncer-", dir="/tmp"))
    port = ports.free(first_port)
    text = SHIPPED.read_text(encoding="utf-8")
    text = text.replace("host=127.0.0.1 port=5432", f"host={database['HOST']} port={database['PORT']}")
    text = text.replace("dbname=carillon", f"dbname={database['NAME']}").replace("/etc/pgbouncer", str(folder))
    if without:
        text = re.sub(rf" {without}='[^']*'", "", text)
    for name, value in {"listen_port": str(port), **changed}.items():
        text, times = re.subn(rf"(?m)^{name} = .*$", f"{name} = {value}", text)
        assert times == 1, name
    (folder / "pgbouncer.ini").write_text(text, encoding="utf-8")
    (folder / "userlist.txt").write_text(f'"{user}" "{password}"\n', encoding="utf-8")
    own = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    for path in (folder, *folder.iterdir()):
        os.chown(path, own.pw_uid, own.pw_gid)
    as_somebody: dict[str, Any] = {"user": own.pw_uid, "group": own.pw_gid, "extra_groups": []}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [str(PGBOUNCER), str(folder / "pgbouncer.ini")],
            stdout=log,
            stderr=log,
            cwd="/",
            **(as_somebody if os.geteuid() == 0 else {}),
        )
    try:
        _until_it_listens(process, port, folder / "log")
        yield Pooler(
            f"postgres://{user}:{password}@127.0.0.1:{port}/carillon?sslmode=disable",
            f"postgres://{user}:{password}@{database['HOST']}:{database['PORT']}/{database['NAME']}",
            user,
            password,
            port,
        )
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(folder)


def _until_it_listens(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
