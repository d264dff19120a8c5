"""Push messages: to all devices of a contact, encrypted for a browser, and told apart by what the services answer."""

from __future__ import annotations

import base64
import json
import time
from urllib.parse import parse_qs

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from contacts import clock, transactions
from delivery import devices
from delivery.devices import NewDevice
from delivery.models import PushDevice, SendLogEntry
from delivery.providers.base import ACCEPTED, IN_DOUBT, NOT_STARTED, REJECTED, RETRY, STOP, Answer
from delivery.providers.fcm import sending as fcm
from delivery.providers.fcm import tokens
from delivery.providers.pushing import GONE, NO_DEVICE, notification, together
from delivery.providers.webpush import sealing, vapid
from delivery.providers.webpush import sending as webpush
from delivery.transport import Reply
from tests.delivery import making
from tests.delivery.providers.conftest import letter
from tests.delivery.providers.stub import AFTER_BODY, Reaction

db = pytest.mark.django_db(transaction=True)
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


class Browser:
    """What a browser keeps to itself, and what it tells."""

    def __init__(self) -> None:
        self.key, self.auth = ec.generate_private_key(ec.SECP256R1()), b"sixteen bytes ok"
        point = self.key.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        self.keys = {"p256dh": encoded(point), "auth": encoded(self.auth)}

    def read(self, body: bytes) -> dict:
        """As RFC 8188 and 8291 tell the one who receives."""
        salt, size, sender, sealed = body[:16], int.from_bytes(body[16:20], "big"), body[21 : 21 + body[20]], body[86:]
        assert (size, len(sender)) == (4096, 65) and len(sealed) <= size
        shared = self.key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender))
        about = b"WebPush: info\0" + sealing.point_of(self.key) + sender
        secret = HKDF(hashes.SHA256(), 32, self.auth, about).derive(shared)
        key = HKDF(hashes.SHA256(), 16, salt, b"Content-Encoding: aes128gcm\0").derive(secret)
        nonce = HKDF(hashes.SHA256(), 12, salt, b"Content-Encoding: nonce\0").derive(secret)
        return json.loads(AESGCM(key).decrypt(nonce, sealed, None).removesuffix(b"\x02"))


def verified(header: str) -> dict:
    """What the header says, signed with the key that browsers were told."""
    scheme, _, parts = header.partition(" ")
    named = dict(part.strip().split("=", 1) for part in parts.split(","))
    assert (scheme, named["k"]) == ("vapid", vapid.public_key())
    told, _, signature = named["t"].rpartition(".")
    raw = sealing.decoded(signature)
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sealing.decoded(named["k"]))
    whole = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    key.verify(whole, told.encode(), ec.ECDSA(hashes.SHA256()))
    return json.loads(sealing.decoded(told.split(".")[1]))


@pytest.fixture
def services(settings, stub):
    """Push services and Firebase in one stub, which takes everything."""
    settings.PUSH_PROVIDER = "push"
    settings.WEBHOOK_ALLOWED_HOSTS = ["127.0.0.1"]
    settings.ESP_RATE_LIMIT = 100_000
    settings.VAPID_PRIVATE_KEY = vapid.new_private_key()
    settings.FCM_API_URL = stub.url
    settings.FCM_SERVICE_ACCOUNT = json.dumps(
        {
            "project_id": "bells", "client_email": "push@bells.example", "private_key_id": "k1",
            "token_uri": f"{stub.url}/token",
            "private_key": RSA.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ).decode(),
        }
    )  # fmt: skip
    stub.react = react()
    tokens.forget()
    yield stub
    tokens.forget()


def react(**by_place: Reaction):
    """`token` · `fcm` · the last part of an endpoint."""

    def answer(request):
        place = "fcm" if request.path.endswith("messages:send") else request.path.rpartition("/")[2]
        usual = Reaction(200, json.dumps({"access_token": "t1", "expires_in": 3600})) if place == "token" else None
        return by_place.get(place, usual or Reaction(201))

    return answer


def register(contact, kind: str, target: str, browser: Browser | None = None) -> None:
    device = NewDevice(kind, target, browser.keys if browser else {})
    transactions.run(lambda now: devices.register(contact.pk, device, now=now))


def push(contact, **words: str):
    version = making.template(
        "news",
        channel="push",
        **({"subject": "Hello {{first_name}}", "html": "", "text": "New\nhttps://x.example/y"} | words),
    )
    message = making.message(contact.pk, channel="push", version_id=version)
    making.deliver()
    return message


@db
def test_a_browser_gets_it_encrypted_and_signed_and_an_app_gets_it_plain(settings, services):
    contact, browser = making.contact(attributes={"first_name": "Ada"}), Browser()
    register(contact, "webpush", f"{services.url}/push/b1", browser)
    register(contact, "fcm", "app-token")
    message = push(contact)
    assert making.state(message) == "accepted"
    assert SendLogEntry.objects.get(kind="accepted").provider_said == "taken for 2 of 2 devices"
    told = {each.path.rpartition("/")[2]: each for each in services.received}
    sealed = told["b1"]
    shown = {"mid": str(message.public_id), "title": "Hello Ada", "body": "New", "url": "https://x.example/y"}
    assert browser.read(sealed.body) == shown
    assert b"Hello" not in sealed.body
    assert (sealed.headers["Content-Encoding"], sealed.headers["TTL"]) == ("aes128gcm", "86400")
    claims = verified(sealed.headers["Authorization"])
    assert claims["aud"] == services.url and claims["sub"] == f"mailto:{settings.EMAIL_FROM}"
    assert 11 * 3600 < claims["exp"] - time.time() <= 12 * 3600
    sent = json.loads(told["messages:send"].body)["message"]
    assert told["messages:send"].path == "/v1/projects/bells/messages:send"
    assert told["messages:send"].headers["Authorization"] == "Bearer t1"
    assert sent["token"] == "app-token" and sent["notification"] == {"title": "Hello Ada", "body": "New"}
    assert sent["data"] == {"mid": str(message.public_id), "url": "https://x.example/y"}


def test_a_message_is_sealed_as_in_the_example_of_rfc_8291():
    number = int.from_bytes(sealing.decoded("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"), "big")
    sealed = sealing.seal(
        b"When I grow up, I want to be a watermelon",
        p256dh="BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
        auth="BTBZMqHH6r4Tts7J_aSIgg",
        salt=sealing.decoded("DGv6ra1nlYgDCS1FRnbzlw"),
        key=ec.derive_private_key(number, ec.SECP256R1()),
    )
    assert sealing.encoded(sealed) == (
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl"
        "7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )


def test_no_two_messages_are_sealed_alike_and_none_is_too_long():
    browser = Browser()
    assert sealing.seal(b"1", **browser.keys) != sealing.seal(b"1", **browser.keys)
    assert browser.read(sealing.seal(b'"' + b"x" * 3991 + b'"', **browser.keys)) == "x" * 3991
    with pytest.raises(ValueError, match="too long"):
        sealing.seal(b"x" * 3994, **browser.keys)


def test_a_key_may_be_the_one_of_a_pem_file(settings):
    key = ec.generate_private_key(ec.SECP256R1())
    settings.VAPID_PRIVATE_KEY = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    assert sealing.decoded(vapid.public_key()) == sealing.point_of(key)
    assert verified(vapid.authorization("https://push.example"))["aud"] == "https://push.example"


@db
def test_the_token_is_had_for_a_signed_word_and_kept(services):
    contact = making.contact()
    register(contact, "fcm", "app-token")
    for _ in range(2):
        push(contact)
    asked = [each for each in services.received if each.path == "/token"]
    assert len(asked) == 1
    form = parse_qs(asked[0].body.decode())
    assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    told, _, signature = form["assertion"][0].rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
    RSA.public_key().verify(raw, told.encode(), padding.PKCS1v15(), hashes.SHA256())
    claims = json.loads(base64.urlsafe_b64decode(told.split(".")[1] + "=="))
    assert (claims["iss"], claims["aud"]) == ("push@bells.example", f"{services.url}/token")


@db
@pytest.mark.parametrize("status", [404, 410])
def test_a_browser_that_is_gone_is_not_asked_again_until_it_registers_anew(services, status):
    contact, browser = making.contact(), Browser()
    register(contact, "webpush", f"{services.url}/push/b1", browser)
    services.react = react(b1=Reaction(status))
    assert making.state(push(contact)) == f"rejected:{NO_DEVICE}"
    assert PushDevice.objects.get().gone_at is not None
    assert making.state(push(contact)) == f"rejected:{NO_DEVICE}"
    assert len(services.received) == 1
    services.react = react()
    register(contact, "webpush", f"{services.url}/push/b1", browser)
    assert making.state(push(contact)) == "accepted"


@db
def test_one_device_that_takes_it_is_enough_and_nobody_gets_it_twice(services):
    contact = making.contact()
    for name in ("b1", "b2", "b3"):
        register(contact, "webpush", f"{services.url}/push/{name}", Browser())
    services.react = react(b1=Reaction(410), b2=Reaction(503))
    message = push(contact)
    assert making.state(message) == "accepted"
    assert SendLogEntry.objects.get(kind="accepted").provider_said == "taken for 1 of 3 devices"
    assert PushDevice.objects.filter(gone_at=None).count() == 2
    assert len(services.received) == 3


@db
def test_without_devices_it_is_refused_and_the_sandbox_takes_it_all_the_same(settings, services):
    contact = making.contact()
    assert making.state(push(contact)) == f"rejected:{NO_DEVICE}"
    settings.PUSH_PROVIDER = "sandbox"
    assert making.state(push(contact)) == "accepted"


@db
def test_a_browser_that_was_registered_with_another_key_stops_nobody(services):
    stranger, ada = making.contact("eve@example.com"), making.contact()
    register(stranger, "webpush", f"{services.url}/push/b1", Browser())
    register(ada, "webpush", f"{services.url}/push/b2", Browser())
    services.react = react(b1=Reaction(403))
    assert making.state(push(stranger)) == "rejected:forbidden"
    assert making.state(push(ada)) == "accepted"


@db
@pytest.mark.parametrize(
    ("reaction", "state"),
    [
        (Reaction(400, '{"error": "invalid_grant"}'), "queued"),
        (Reaction(503), "queued"),
        (Reaction(200, "no"), "queued"),
    ],
)
def test_without_a_token_nothing_is_sent_and_nothing_lost(services, reaction, state):
    contact = making.contact()
    register(contact, "fcm", "app-token")
    services.react = react(token=reaction)
    assert making.state(push(contact)).startswith(state)
    assert not any(each.path.endswith(":send") for each in services.received)


def error(status: int, code: str = "", field: str = "") -> Reply:
    details = [{"errorCode": code}] if code else []
    if field:
        details.append({"fieldViolations": [{"field": field}]})
    return Reply(status, {}, json.dumps({"error": {"message": "m", "status": "S", "details": details}}).encode())


@pytest.mark.parametrize(
    ("reply", "kind", "reason"),
    [
        (Reply(200, {}, b"{}"), ACCEPTED, ""),
        (error(404, "UNREGISTERED"), REJECTED, GONE),
        (error(404), REJECTED, GONE),
        (error(403, "SENDER_ID_MISMATCH"), REJECTED, GONE),
        (error(400, "INVALID_ARGUMENT", "message.token"), REJECTED, GONE),
        (error(400, "INVALID_ARGUMENT", "message.data"), REJECTED, "invalid_message"),
        (error(401), STOP, "unauthorized"),
        (error(401, "THIRD_PARTY_AUTH_ERROR"), STOP, "no_key_for_apple"),
        (error(403), STOP, "forbidden"),
        (error(429, "QUOTA_EXCEEDED"), RETRY, "rate_limited"),
        (error(500, "INTERNAL"), IN_DOUBT, "provider_error"),
        (error(503, "UNAVAILABLE"), RETRY, "unavailable"),
    ],
)
def test_each_answer_of_firebase_has_its_meaning(reply, kind, reason):
    answer = fcm.meaning(reply)
    assert (answer.kind, answer.reason) == (kind, reason)


@pytest.mark.parametrize(
    ("status", "kind", "reason"),
    [(201, ACCEPTED, ""), (404, REJECTED, GONE), (410, REJECTED, GONE), (401, REJECTED, "unauthorized"),
     (413, REJECTED, "too_large"), (429, RETRY, "rate_limited"), (500, IN_DOUBT, "provider_error"),
     (503, RETRY, "unavailable"), (301, REJECTED, "redirected")],
)  # fmt: skip
def test_each_answer_of_a_push_service_has_its_meaning(status, kind, reason):
    answer = webpush.meaning(Reply(status, {}, b"in words"))
    assert (answer.kind, answer.reason) == (kind, reason)


@given(st.integers(100, 599), st.binary(max_size=200))
def test_no_answer_is_an_error(status, body):
    for meaning in (fcm.meaning, webpush.meaning):
        assert meaning(Reply(status, {}, body)).kind in {ACCEPTED, REJECTED, RETRY, IN_DOUBT, STOP}


@pytest.mark.parametrize(
    "body", [b"[]", b"null", b'{"error": 1}', b'{"error": {"details": [1, {"fieldViolations": 2}]}}']
)
def test_an_answer_of_another_shape_is_read_by_its_status(body):
    assert fcm.meaning(Reply(400, {}, body)).reason == "invalid_message"


@pytest.mark.parametrize(
    ("kinds", "kind", "reason"),
    [
        ([], REJECTED, NO_DEVICE),
        ([GONE, GONE], REJECTED, NO_DEVICE),
        ([GONE, ACCEPTED, STOP], ACCEPTED, ""),
        ([RETRY, IN_DOUBT, GONE], IN_DOUBT, ""),
        ([RETRY, NOT_STARTED, REJECTED], RETRY, ""),
        ([REJECTED, STOP], STOP, ""),
        ([GONE, REJECTED], REJECTED, ""),
    ],
)
def test_the_answers_of_several_devices_become_one(kinds, kind, reason):
    answers = [Answer(REJECTED, GONE) if each == GONE else Answer(each) for each in kinds]
    assert (together(answers).kind, together(answers).reason) == (kind, reason)


@pytest.mark.parametrize(
    ("text", "words", "url"),
    [
        ("Hi", "Hi", ""),
        ("Hi\nthere\n https://x.example/a?b=1 \n", "Hi\nthere", "https://x.example/a?b=1"),
        ("https://x.example", "", "https://x.example"),
        ("See https://x.example", "See https://x.example", ""),
        ("Hi\njavascript:alert(1)", "Hi\njavascript:alert(1)", ""),
        ("", "", ""),
    ],
)
def test_an_address_in_the_last_line_is_where_a_tap_leads(text, words, url):
    note = notification(letter(text=text, subject=""))
    assert (note.title, note.words, note.url) == ("Carillon", words, url)


@given(st.text(max_size=6000), st.text(max_size=2000))
def test_what_is_shown_fits_whatever_was_written(text, subject):
    assert len(notification(letter(text=text, subject=subject)).as_json()) <= 3993


def test_what_is_cut_says_so_and_the_longest_of_everything_fits():
    note = notification(letter(text='"' * 9000 + "\nhttps://x.example/" + "y" * 1400, subject="🎉" * 500))
    assert note.words.endswith("…") and note.title.endswith("🎉…") and len(note.url) > 1400
    assert 3000 < len(note.as_json()) <= 3993


@db
def test_a_lease_that_is_over_and_a_lost_answer_are_what_they_are_everywhere(services):
    contact = making.contact()
    register(contact, "webpush", f"{services.url}/push/b1", Browser())
    one = letter(to_address=str(contact.public_id), channel="push")
    assert webpush.WebPush().deliver([one], start_before=0.0)[one.mid].kind == NOT_STARTED
    assert services.received == []
    services.react = react(b1=Reaction(breaks=AFTER_BODY))
    assert making.state(push(contact)).startswith("in_doubt")


@db
def test_a_device_that_registers_while_it_is_told_gone_stays(services):
    contact = making.contact()
    asked_at = clock.now()
    register(contact, "webpush", f"{services.url}/push/b1", Browser())
    devices.note_gone({PushDevice.objects.get().pk: "late"}, asked_at=asked_at, now=clock.now())
    assert PushDevice.objects.get().gone_at is None


@pytest.mark.parametrize("key", ["", "x", "AAAA", encoded(b"\0" * 32), "-----BEGIN PRIVATE KEY-----"])
def test_a_key_that_is_none_is_said_so(settings, key):
    settings.VAPID_PRIVATE_KEY = key
    with pytest.raises(vapid.BadKey, match="VAPID_PRIVATE_KEY"):
        vapid.authorization("https://push.example")


@pytest.mark.parametrize("account", ["", "{}", "[]", '{"project_id": 1}'])
def test_an_account_that_is_none_stops_the_provider(settings, account):
    settings.FCM_SERVICE_ACCOUNT = account
    hindrance = fcm.Apps().hindrance()
    assert hindrance and (hindrance.kind, hindrance.reason) == (STOP, "bad_key")
    assert "private" not in hindrance.said.replace("service account's key", "")


def test_the_account_does_not_show_its_key(services):
    assert "PRIVATE" not in repr(tokens.account())
