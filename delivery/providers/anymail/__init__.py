"""Providers of e-mail that django-anymail knows and that are spoken to over HTTP: it builds the request and reads the
answer, our transport carries both. Of Anymail no URL and no Django app is used.

A folder for webhooks may join in under the same names. Our message's id (`mid`) comes back there as:

    postmark        Metadata.mid                        brevo           X-Mailin-custom, JSON: {"mid": …}
    mailgun         event-data.user-variables.mid       mailjet         Payload, JSON: {"mid": …}
    resend          data.headers, X-Metadata: JSON      mandrill        msg.metadata.mid
    sparkpost       msys.*.rcpt_meta.mid                unisender_go    metadata.mid
    mailtrap        custom_variables.mid                mailersend      data.email.tags[0]
    scaleway        the header X-Metadata, JSON         postal          payload.message.tag

Of Scaleway no feedback is taken in: it reports to topics of its own, which Anymail does not read.

A new one is a line in `carriers.CARRIERS`, with what its answers mean."""

from __future__ import annotations

from functools import partial

from delivery.providers.anymail.carriers import CARRIERS
from delivery.providers.anymail.sending import Anymail
from delivery.providers.base import Entry

ENTRIES = tuple(Entry(carrier.name, partial(Anymail, carrier), needed=carrier.needed) for carrier in CARRIERS)
