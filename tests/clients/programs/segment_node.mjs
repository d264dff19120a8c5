// @segment/analytics-node, as an application uses it. Arguments: host, write key.
import { createRequire } from "node:module";

const { Analytics } = createRequire(`${process.env.CLIENTS}/`)("@segment/analytics-node");
const [host, writeKey] = process.argv.slice(2);
const analytics = new Analytics({ host, writeKey, flushInterval: 100, flushAt: 40 });
let failure = null;
analytics.on("error", (error) => { failure = error; });

const timestamp = new Date("2025-03-04T05:06:07.890Z");
analytics.track({ anonymousId: "device", event: "Product Viewed", properties: { sku: "a" }, timestamp, messageId: "m-track" });
analytics.identify({ userId: "ada", anonymousId: "device", traits: { email: "ada@example.com", plan: "pro" }, timestamp });
analytics.page({ userId: "ada", category: "Docs", name: "Home", properties: { url: "https://x.example/" }, timestamp });
analytics.screen({ userId: "ada", name: "Start", timestamp });
analytics.group({ userId: "ada", groupId: "initech", traits: { seats: 4 }, timestamp });
analytics.alias({ previousId: "old device", userId: "ada", timestamp });
for (let number = 0; number < 250; number++) {
  analytics.track({ userId: "ada", event: "Song Played", properties: { number }, timestamp });
}
await analytics.closeAndFlush();
if (failure) {
  console.error(failure);
  process.exit(1);
}
