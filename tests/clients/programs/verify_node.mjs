// The verifier of Standard Webhooks, as a receiver uses it. Argument: a file {secret, headers, body}.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const { Webhook, WebhookVerificationError } = createRequire(`${process.env.CLIENTS}/`)("standardwebhooks");
const { secret, headers, body } = JSON.parse(readFileSync(process.argv[2], "utf8"));

const accepts = (secret, body) => {
  try {
    new Webhook(secret).verify(body, headers);
    return true;
  } catch (error) {
    if (error instanceof WebhookVerificationError) return false;
    throw error;
  }
};

if (!accepts(secret, body)) throw new Error("it refuses what is ours");
if (accepts(secret, body.replace("1", "2"))) throw new Error("it accepts what was changed");
if (accepts(`whsec_${"QUFB".repeat(8)}`, body)) throw new Error("it accepts a secret that is not ours");
