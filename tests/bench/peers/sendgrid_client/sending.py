"""sendgrid's own client, as its documentation shows it, in fifty threads: words that are ready go out, and nothing is
asked before or written down after. `… COUNT`."""

from __future__ import annotations

import os
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor

from sendgrid import SendGridAPIClient
from sendgrid.helpers.mail import Content, CustomArg, Email, Mail, Personalization, Subject, To

from tests.bench import mail, turn

THREADS = 50


def main() -> None:
    words = mail.html(distinct=False)

    def send(_: int) -> int:
        message = Mail()
        message.from_email, message.subject = Email("news@example.com"), Subject("Your week")
        to = Personalization()
        to.add_to(To("zoe@example.com"))
        to.add_custom_arg(CustomArg("mid", str(uuid.uuid4())))
        message.add_personalization(to)
        message.add_content(Content("text/plain", "Hello"))
        message.add_content(Content("text/html", words))
        return int(SendGridAPIClient("stub", host=os.environ["SENDGRID_API_URL"]).send(message).status_code)

    def play() -> None:
        with ThreadPoolExecutor(THREADS) as threads:
            assert set(threads.map(send, range(int(sys.argv[1])))) == {202}

    turn.take_turn(play)


if __name__ == "__main__":
    main()
