"""The verifiers of Standard Webhooks and of Svix, as a receiver uses them. Argument: a file {secret, headers, body}."""

import json
import sys
from pathlib import Path

import standardwebhooks
import svix.webhooks

said = json.loads(Path(sys.argv[1]).read_text())
secret, headers, body = said["secret"], said["headers"], said["body"]
STRANGE = "whsec_" + "QUFB" * 8


def accepts(verifier, refusal, secret, body, headers=headers):
    try:
        verifier(secret).verify(body, headers)
    except refusal:
        return False
    return True


for verifier, refusal in (
    (standardwebhooks.Webhook, standardwebhooks.WebhookVerificationError),
    (svix.webhooks.Webhook, (svix.webhooks.WebhookVerificationError, standardwebhooks.WebhookVerificationError)),
):
    assert accepts(verifier, refusal, secret, body), f"{verifier.__module__} refuses what is ours"
    assert not accepts(verifier, refusal, secret, body.replace("1", "2", 1)), "it accepts what was changed"
    assert not accepts(verifier, refusal, STRANGE, body), "it accepts a secret that is not ours"
    old = {**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) - 3600)}
    assert not accepts(verifier, refusal, secret, body, old), "it accepts what is an hour old"
