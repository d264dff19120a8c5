"""The look at the logs of all tests sees what it is there for."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from django.conf import settings
from django.db import IntegrityError, connection
from django.utils.log import configure_logging

from config import logs
from tests import canaries

KEY = "mk_live_" + "Ab3dE5g7" + "_" + "x" * 43


@pytest.mark.parametrize(
    "line",
    [
        "no contact has the address ada@example.com",
        "asked for /admin/?q=ada%40work.example",
        "Ada+news@Example.COM bounced",
        f"refused {KEY}",
        f"Authorization: Bearer {KEY[9:]}",
        "signed with whsec_" + "MfKQ9r8GKYqrTwjU",
        "SG." + "abcdefgh12" + "." + "abcdefgh12",
        "connected to postgres://carillon:" + "open sesame".replace(" ", "-") + "@127.0.0.1/carillon",
    ],
)
def test_what_no_log_may_say_is_found(line: str, tmp_path: Path) -> None:
    assert canaries.found_in(line)
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "web.log").write_text(f"INFO all is well\nINFO {line}\n")
    with pytest.raises(AssertionError):
        canaries.refuse_in_files(tmp_path)


@pytest.mark.parametrize(
    "line",
    [
        "the database refused a request: OperationalError",
        "urgent@bell: connected to redis://127.0.0.1:6379/1",
        "connected to amqp://guest:**@127.0.0.1:5672//",
        "a webhook of sendgrid has to come again",
        "no route /api/v1/whsec",
    ],
)
def test_other_lines_are_left_alone(line: str) -> None:
    assert not canaries.found_in(line)


@pytest.mark.parametrize("test", ["that sets logging up anew", "after it"])
def test_a_line_that_a_test_logs_is_heard(_listener: canaries.Listener, test: str) -> None:
    logging.getLogger("contacts.somewhere").warning("nobody is called %s", "ada@example.com")
    try:
        raise ValueError("duplicate key: (email)=(ada@example.com)")
    except ValueError:
        logging.getLogger("contacts.somewhere").exception("it failed")
    assert len(_listener.said) == 2, "an exception says what no log may say, too"
    _listener.said.clear()
    configure_logging(settings.LOGGING_CONFIG, settings.LOGGING)


def test_what_postgresql_and_addresses_of_requests_say_of_a_person_is_left_out(db: None) -> None:
    token = "AbCd" * 8
    with pytest.raises(IntegrityError) as refused, connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE people (address text PRIMARY KEY)")
        cursor.execute("INSERT INTO people VALUES (%(who)s), (%(who)s)", {"who": "ada@" + "example.com"})
    kind, error, trace = refused._excinfo
    record = logging.LogRecord(
        "x", logging.ERROR, __file__, 1, "Not Found: %s", (f"/u/{token}?a=1",), (kind, error, trace)
    )
    settled = settings.LOGGING["formatters"]["line"]
    assert settled["()"] == "config.logs.Line"
    line = logs.Line(settled["format"]).format(record)
    assert "ada@example.com" in str(error), "PostgreSQL says so"
    assert "ada@example.com" not in line
    assert "unique constraint" in line and "DETAIL: …" in line
    assert token not in line and "Not Found: /u/…?a=1" in line
