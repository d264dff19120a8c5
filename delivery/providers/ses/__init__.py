"""Amazon SES, version 2 of its API: the mail goes as a whole, signed with a key of ours (no AWS package).

Settings: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN (of keys that hold for a while), AWS_REGION;
SES_CONFIGURATION_SET (whose event destination reports back), SES_CONFIGURATION_SET_TRANSACTIONAL (where transactional
mail has one of its own, with other IP addresses); SES_API_URL (for a stub or a VPC endpoint).

Opens and clicks are counted by links of ours: leave them out of the configuration set's event types. A configuration
set without a suppression list lets ours decide alone.

Events name our message as `mail.tags.mid`: a list with one text. They come through an SNS topic, in SNS's own envelope
(no raw delivery): SES_TOPIC_ARNS names those that are believed, by comma; their subscription is confirmed by itself."""

from __future__ import annotations

from delivery.providers.base import Entry
from delivery.providers.ses import webhook
from delivery.providers.ses.sending import SES
from delivery.webhooks.base import Vendor

ENTRIES = (
    Entry(
        "ses",
        SES,
        Vendor(webhook.is_genuine, webhook.read, greet=webhook.greet),
        needed=("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"),
        advised=("SES_TOPIC_ARNS",),
        spf_include="amazonses.com",
        proof="Amazon signs: subscribe the address to its SNS topic, without raw delivery; the setting names the topic",
        title="Amazon SES",
    ),
)
