"""The mail that asks for a confirmation, and what a confirmation undoes. The token of its link is made when the mail is
written, and lies nowhere else: neither in the message nor in the log nor in an event."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from contacts import authority
from contacts.models import Contact
from delivery import outbox, suppression
from delivery.authoring import templates
from delivery.requests import SendRequest

TEMPLATE = "confirm-subscription"
NONCE = "opt_in"  # its name in a message's context

_SUBJECT = "Please confirm your subscription"
_HTML = """<!doctype html>
<html lang="en"><body style="margin:0;padding:32px 16px;background:#f5f5f4;font:16px/1.6 sans-serif;color:#1c1917">
<div style="max-width:480px;margin:0 auto;padding:32px;background:#ffffff;border:1px solid #e7e5e4;border-radius:12px">
<h1 style="margin:0 0 12px;font-size:22px;line-height:1.3">One click, and you are in</h1>
<p style="margin:0 0 24px">Somebody, most likely you, asked that we write to this address. Please confirm it. Without
your confirmation we send nothing.</p>
<p style="margin:0 0 24px"><a href="{{confirm_url}}" style="display:inline-block;padding:12px 20px;background:#1c1917;
color:#ffffff;border-radius:8px;text-decoration:none;font-weight:600">Confirm my subscription</a></p>
<p style="margin:0;color:#57534e;font-size:14px">It was not you? Then do nothing, and you will not hear from us.</p>
</div></body></html>
"""
_TEXT = """Somebody, most likely you, asked that we write to this address. To confirm it, open this page and press the
button:

{{confirm_url}}

It was not you? Then do nothing, and you will not hear from us.
"""


def enqueue(*, contact_id: int, request_id: int, nonce: str, now: datetime) -> None:
    """Leave the mail with the post office, in the transaction of the request. Its words are the live version of the
    template `confirm-subscription`, which is made from the ones here when nobody has written any."""
    version = templates.live_version_ids([TEMPLATE]).get(TEMPLATE)
    if version is None:
        with authority.as_house():
            version = templates.save_version(
                slug=TEMPLATE, name="Confirm a subscription", subject=_SUBJECT, html=_HTML, text=_TEXT, now=now
            )
    outbox.enqueue(
        [
            SendRequest(
                contact_id=contact_id,
                channel="email",
                template_version_id=version,
                idempotency_key=f"opt_in:{request_id}",
                message_class="transactional",
                priority=10,
                context={NONCE: nonce, "about": {"template": TEMPLATE}},
            )
        ],
        now=now,
    )


def release(*, contact_id: int, topics: Sequence[str], now: datetime) -> None:
    """Whoever confirms has changed their mind: an earlier unsubscribe of the address no longer stands. Bounces,
    complaints and what was suppressed by hand do. `topics` empty: all marketing."""
    address = Contact.objects.values_list("email", flat=True).get(pk=contact_id)
    if address:
        with authority.as_house():  # on the word of the person: nobody who is logged in asked for it
            for scope in ("email", *topics):
                suppression.release(
                    channel="email", address=address, scope=scope, reason="unsubscribe", by="confirmation", now=now
                )
