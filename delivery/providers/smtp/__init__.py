"""Any mail server that takes mail by SMTP.

Settings: SMTP_HOST, SMTP_PORT (587), SMTP_USER and SMTP_PASSWORD (empty: no login), SMTP_SECURITY (`starttls`, `tls`
from the first byte on, or `none` for a server on this machine), SMTP_CA_FILE (of a certificate authority of one's own),
SMTP_CONNECTIONS (at once, 10).

A mail server reports nothing back: bounces come to the sender's mailbox, opens and clicks are counted by links of ours,
and what was in doubt stays so until its deadline."""

from __future__ import annotations

from delivery.providers.base import Entry
from delivery.providers.smtp.sending import SMTP

ENTRIES = (Entry("smtp", SMTP, needed=("SMTP_HOST",), title="SMTP"),)
