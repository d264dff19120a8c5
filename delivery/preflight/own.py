"""What a sending domain needs of this installation itself: settings, headers, and how its mail was received."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection

from delivery import figures, tallies
from delivery.preflight.verdicts import BAD, GOOD, UNKNOWN, WARN, Check
from delivery.public import unsubscribing

DAYS = 7  # over which complaints are counted
NEWEST = 1_000  # messages among which a marketing mail is looked for


def checks(domain: str, *, now: datetime) -> list[Check]:
    return [_one_click(domain), _postal_address(), _public_url(), _complaints(domain, now)]


def _one_click(domain: str) -> Check:
    """The headers of the newest marketing mail, as they go with it."""
    if domain != tallies.sending_domains()["marketing"]:
        return Check("one_click", GOOD, "No marketing mail goes out from this domain, and no other needs the headers.")
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT m.public_id::text
              FROM (SELECT message_id, at FROM contact_send_log WHERE kind = 'accepted' ORDER BY at DESC LIMIT %s) l
              JOIN messages m ON m.id = l.message_id
             WHERE m.channel = 'email' AND m.message_class = 'marketing' ORDER BY l.at DESC LIMIT 1
            """,
            [NEWEST],
        )
        row = cursor.fetchone()
    if row is None:
        return Check("one_click", UNKNOWN, "No marketing mail was sent yet.")
    headers = unsubscribing.headers(unsubscribing.url_of(row[0]))
    has_both = "One-Click" in headers.get("List-Unsubscribe-Post", "") and "List-Unsubscribe" in headers
    if not has_both or "<https://" not in headers["List-Unsubscribe"]:
        said = "The last marketing mail has the headers, but its address is not https, so mailboxes show no button."
        return Check("one_click", BAD, said, "Set PUBLIC_URL to an https address.")
    return Check("one_click", GOOD, "Every marketing mail carries the headers of RFC 8058; the last one did.")


def _postal_address() -> Check:
    if settings.POSTAL_ADDRESS.strip():
        return Check("postal_address", GOOD, "It stands in the footer of every marketing mail.")
    said = "None is set, and the law of many countries wants one in every marketing mail."
    return Check("postal_address", BAD, said, "Set POSTAL_ADDRESS.")


def _public_url() -> Check:
    if settings.PUBLIC_URL.startswith("https://"):
        return Check("public_url", GOOD, "Links in mails are https.", found=settings.PUBLIC_URL)
    said = "Links in mails are not https."
    return Check("public_url", BAD, said, "Set PUBLIC_URL to an https address.", settings.PUBLIC_URL)


def _complaints(domain: str, now: datetime) -> Check:
    counts = figures.of_domains([domain], since=tallies.day_of(now) - timedelta(days=DAYS - 1))[domain]
    told = f"{100 * counts.complaint_rate:.2f}% of {counts.delivered:,} messages delivered in {DAYS} days"
    if counts.complaints_are == "plain":
        return Check("complaints", UNKNOWN, f"Too few messages to tell: {told}.")
    if counts.complaints_are == "good":
        return Check("complaints", GOOD, f"{told}; Gmail and Yahoo ask for less than 0.1%.")
    fix = "Find the journey or the list that they come from; write less often, and only to those who asked for it."
    if counts.complaints_are == "warn":
        return Check("complaints", WARN, f"{told}; it should stay below 0.1%.", fix)
    return Check("complaints", BAD, f"{told}; at 0.3% Gmail and Yahoo begin to refuse mail.", fix)
