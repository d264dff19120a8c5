"""segment-analytics-python, as an application uses it. Arguments: host, write key, "gzip" or "plain"."""

import sys
from datetime import UTC, datetime

from segment.analytics.client import Client

host, key, packing = sys.argv[1:]
failures = []
client = Client(
    write_key=key,
    host=host,
    gzip=packing == "gzip",
    upload_interval=0.1,
    on_error=lambda error, items: failures.append(error),
)
at = datetime(2025, 3, 4, 5, 6, 7, 890000, tzinfo=UTC)
client.track(anonymous_id="device", event="Product Viewed", properties={"sku": "a"}, timestamp=at, message_id="m-track")
client.identify(user_id="ada", anonymous_id="device", traits={"email": "ada@example.com", "plan": "pro"}, timestamp=at)
client.page(user_id="ada", category="Docs", name="Home", properties={"url": "https://x.example/"}, timestamp=at)
client.screen(user_id="ada", name="Start", timestamp=at)
client.group(user_id="ada", group_id="initech", traits={"seats": 4}, timestamp=at)
client.alias(previous_id="old device", user_id="ada", timestamp=at)
for number in range(250):
    client.track(user_id="ada", event="Song Played", properties={"number": number}, timestamp=at)
client.flush()
client.join()
sys.exit(str(failures[0]) if failures else 0)
