"""standardwebhooks, as a receiver uses it. Arguments: secret; on standard input the calls, as JSON: [{headers, body}].
Prints for each whether it is believed."""

import json
import sys

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

verifier = Webhook(sys.argv[1])
for call in json.load(sys.stdin):
    try:
        verifier.verify(call["body"], call["headers"])
        print("believed")
    except WebhookVerificationError:
        print("refused")
