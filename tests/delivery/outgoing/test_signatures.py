"""Signatures as Standard Webhooks has them."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from django.core.management import call_command

from delivery.outgoing import signatures
from delivery.outgoing.signatures import BadSecret

AT = datetime.fromtimestamp(1614265330, tz=UTC)


def test_the_example_of_the_specification_comes_out_as_it_does_there(settings):
    settings.WEBHOOK_SIGNING_SECRET = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]
    body = b'{"test": 2432232314}'
    made = signatures.headers(webhook_id="msg_p5jXN8AQM9LWM0D4loKWxJek", at=AT, body=body)
    assert made == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_while_one_secret_takes_anothers_place_both_sign(settings):
    settings.WEBHOOK_SIGNING_SECRET = ["whsec_" + base64.b64encode(letter * 32).decode() for letter in (b"a", b"b")]
    made = signatures.headers(webhook_id="x", at=AT, body=b"")
    assert [part[:3] for part in made["webhook-signature"].split(" ")] == ["v1,", "v1,"]


@pytest.mark.parametrize("secret", ["whsec_not base64", "whsec_", "whsec_" + base64.b64encode(b"short").decode()])
def test_a_secret_that_cannot_be_read_is_refused(secret):
    with pytest.raises(BadSecret):
        signatures.key_of(secret)


def test_receivers_are_told_the_secret_by_a_command(settings, capsys):
    settings.WEBHOOK_SIGNING_SECRET = []
    call_command("webhook_secret")
    assert capsys.readouterr().out.strip() == signatures.secrets()[0]
