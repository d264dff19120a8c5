"""Our own transport with nothing around it, fifty requests under way: bodies that are ready go out, no gate, no record.
`… COUNT`."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import uuid

from delivery import transport
from tests.bench import mail, turn

IN_FLIGHT = 50


def main() -> None:
    count = int(sys.argv[1])
    body = json.dumps(
        {
            "from": {"email": "news@example.com"},
            "subject": "Your week",
            "personalizations": [{"to": [{"email": "zoe@example.com"}], "custom_args": {"mid": "MID"}}],
            "content": [
                {"type": "text/plain", "value": "Hello"},
                {"type": "text/html", "value": mail.html(distinct=False)},
            ],
        }
    )
    before, _, after = body.encode().partition(b"MID")
    url = f"{os.environ['SENDGRID_API_URL']}/v3/mail/send"
    headers = {"Authorization": "Bearer stub", "Content-Type": "application/json"}

    async def send_all() -> None:
        left = iter(range(count))

        async def sender() -> None:
            for _ in left:
                data = before + str(uuid.uuid4()).encode() + after
                reply = await transport.post(url, data=data, headers=headers, seconds=10)
                assert isinstance(reply, transport.Reply) and reply.status == 202

        await asyncio.gather(*(sender() for _ in range(IN_FLIGHT)))

    turn.take_turn(lambda: transport.start(send_all()).result())


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    main()
