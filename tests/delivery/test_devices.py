"""The devices of a contact: registered by a program, by a page, and held like everything else of a person."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.test import Client
from hypothesis import given, settings
from hypothesis import strategies as st

from contacts import access, clock, merging, transactions
from contacts.collect import write_keys
from contacts.models import Contact, ContactIdentity
from contacts.privacy import erasing
from delivery import devices
from delivery.devices import BadDevice, NewDevice
from delivery.models import PushDevice
from delivery.providers.webpush import vapid
from tests.delivery import making

pytestmark = pytest.mark.django_db

ENDPOINT = "https://fcm.googleapis.com/fcm/send/abc"


def encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


POINT = ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
KEYS = {"p256dh": encoded(POINT), "auth": encoded(b"0123456789abcdef")}
SUBSCRIPTION = {"endpoint": ENDPOINT, "expirationTime": None, "keys": KEYS}


def register(contact_id: int, target: str = ENDPOINT, **changes) -> str:
    device = NewDevice(**({"kind": "webpush", "target": target, "keys": KEYS} | changes))
    return transactions.run(lambda now: devices.register(contact_id, device, now=now))


def test_the_same_device_is_one_row_and_whoever_registers_it_last_has_it():
    ada, eve = making.contact(), making.contact("eve@example.com")
    first = register(ada.pk)
    assert register(ada.pk) == first == register(eve.pk)
    assert PushDevice.objects.get().contact_id == eve.pk
    assert devices.of_contacts([str(ada.public_id)], kinds=devices.KINDS) == {}
    assert [
        each.target for each in devices.of_contacts([str(eve.public_id)], kinds=["webpush"])[str(eve.public_id)]
    ] == [ENDPOINT]
    assert devices.of_contacts([str(eve.public_id)], kinds=["fcm"]) == {}


def test_a_message_goes_to_the_devices_that_were_seen_last():
    ada = making.contact()
    for number in range(devices.MOST + 5):
        register(ada.pk, f"{ENDPOINT}{number}")
    found = devices.of_contacts([str(ada.public_id)], kinds=devices.KINDS)[str(ada.public_id)]
    assert len(found) == devices.MOST
    assert found[0].target == f"{ENDPOINT}{devices.MOST + 4}"


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"kind": "pigeon"}, ("kind",)),
        ({"target": ""}, ("target",)),
        ({"target": "http://fcm.googleapis.com/x"}, ("target",)),
        ({"target": "https://10.0.0.1/x"}, ("target",)),
        ({"target": "https://evil.example/fcm.googleapis.com"}, ("target",)),
        ({"target": "https://fcm.googleapis.com.evil.example/"}, ("target",)),
        ({"target": "https://evilpush.apple.com/"}, ("target",)),
        ({"target": "https://fcm.googleapis.com@evil.example/"}, ("target",)),
        ({"target": "https://fcm.googleapis.com:22/"}, ("target",)),
        ({"target": "https://[/"}, ("target",)),
        ({"target": ENDPOINT + "x" * 3000}, ("target",)),
        ({"keys": {}}, ("keys", "p256dh")),
        ({"keys": KEYS | {"p256dh": encoded(b"\x04" + b"\0" * 64)}}, ("keys", "p256dh")),  # not on the curve
        ({"keys": KEYS | {"auth": "!"}}, ("keys", "auth")),
        ({"keys": KEYS | {"auth": encoded(b"short")}}, ("keys", "auth")),
        ({"agent": "a\x00b"}, ("agent",)),
    ],
)
def test_what_is_no_device_is_refused_at_its_place(changes, place):
    with pytest.raises(BadDevice) as refused:
        devices.check(NewDevice(**({"kind": "webpush", "target": ENDPOINT, "keys": KEYS} | changes)))
    assert refused.value.faults[0].loc == place


@pytest.mark.parametrize(
    "endpoint",
    ["https://updates.push.services.mozilla.com/wpush/v2/x", "https://web.push.apple.com/x",
     "https://wns2-par02p.notify.windows.com/w/?token=x", ENDPOINT],
)  # fmt: skip
def test_the_services_of_browsers_are_known(endpoint):
    devices.check(NewDevice("webpush", endpoint, KEYS))


@given(st.text(max_size=100), st.dictionaries(st.sampled_from(["p256dh", "auth"]), st.text(max_size=100)))
def test_nothing_that_is_given_is_an_error_of_ours(target, keys):
    with pytest.raises(BadDevice):
        devices.check(NewDevice("webpush", target, keys))


def test_erasure_forgets_them_and_a_merge_moves_them_and_back():
    ada, eve = making.contact(), making.contact("eve@example.com")
    register(ada.pk)
    register(eve.pk, ENDPOINT + "2")
    merge_id = transactions.run(
        lambda now: merging.merge(survivor_id=eve.pk, absorbed_id=ada.pk, source="api", actor="", now=now)
    )
    assert set(PushDevice.objects.values_list("contact_id", flat=True)) == {eve.pk}
    transactions.run(lambda now: merging.undo(merge_id, actor="", now=now))
    assert set(PushDevice.objects.values_list("contact_id", "target")) == {(ada.pk, ENDPOINT), (eve.pk, ENDPOINT + "2")}
    transactions.run(lambda now: erasing.erase(ada.pk, actor="test", now=now))
    assert list(PushDevice.objects.values_list("contact_id", flat=True)) == [eve.pk]


# -- over HTTP ---------------------------------------------------------------------------------------------------------
def api(*scopes: str) -> Client:
    key = access.create_key(name="k", kind="secret", scopes=scopes, now=clock.now())
    return Client(headers={"Authorization": f"Bearer {key}"})


def test_a_program_registers_lists_and_forgets_devices():
    ada = making.contact()
    path = f"/api/v1/contacts/{ada.public_id}/devices"
    writer, reader = api("contacts:write"), api("contacts:read")
    made = writer.post(path, {"kind": "fcm", "target": "token", "agent": "Pixel"}, content_type="application/json")
    assert made.status_code == 201
    assert made.json().keys() == {"id", "kind", "agent", "created_at", "seen_at", "gone_at", "gone_why"}
    assert "token" not in made.content.decode()
    web = {"kind": "webpush", "target": ENDPOINT, "keys": KEYS}
    assert writer.post(path + "/", web, content_type="application/json").status_code == 201
    listed = reader.get(path).json()["results"]
    assert [each["kind"] for each in listed] == ["webpush", "fcm"]
    assert reader.post(path, web, content_type="application/json").status_code == 403
    one = f"{path}/{made.json()['id']}"
    assert reader.delete(one).status_code == 403
    other = making.contact("eve@example.com")
    assert writer.delete(one.replace(str(ada.public_id), str(other.public_id))).status_code == 404
    assert writer.delete(one).status_code == 204
    assert writer.delete(one).status_code == 404
    assert PushDevice.objects.get().kind == "webpush"


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ({}, ["kind"]),
        ({"kind": "fcm"}, ["target"]),
        ({"kind": "webpush", "target": "https://evil.example", "keys": KEYS}, ["target"]),
        ({"kind": "webpush", "target": ENDPOINT}, ["keys", "p256dh"]),
        ({"kind": "webpush", "target": ENDPOINT, "keys": {"auth": "x"}}, ["keys", "p256dh"]),
        ([], []),
    ],
)
def test_what_is_no_device_is_a_problem_that_names_its_place(body, loc):
    path = f"/api/v1/contacts/{making.contact().public_id}/devices/"
    answer = api("contacts:write").post(path, json.dumps(body), content_type="application/json")
    assert answer.status_code == 400 and answer["Content-Type"] == "application/problem+json"
    if loc:
        assert answer.json()["errors"][0]["loc"] == loc


# -- from pages --------------------------------------------------------------------------------------------------------
def write_key(kind: str = "browser", **allowed) -> str:
    return write_keys.create_write_key(name="k", kind=kind, now=clock.now(), **allowed)


def subscribe(said: dict, **headers: str):
    return Client(enforce_csrf_checks=True, headers=headers).post(
        "/push/subscribe", json.dumps(said), content_type="text/plain"
    )


def test_a_page_signs_up_the_browser_of_a_visitor_known_by_an_anonymous_id():
    answer = subscribe(
        {"writeKey": write_key(), "anonymousId": "a-1", "subscription": SUBSCRIPTION},
        Origin="https://shop.example", **{"User-Agent": "Firefox"},
    )  # fmt: skip
    assert answer.status_code == 200 and answer.json() == {"success": True}
    assert answer["Access-Control-Allow-Origin"] == "*" and not answer.cookies
    device = PushDevice.objects.get()
    assert (device.kind, device.target, device.keys, device.agent) == ("webpush", ENDPOINT, KEYS, "Firefox")
    assert ContactIdentity.objects.get(kind="anonymous_id", value="a-1").contact_id == device.contact_id


def test_a_browsers_key_says_whose_it_is_only_with_a_proof():
    key = write_key()
    key_id = write_keys.find("", key).id
    victim = making.contact("ada@example.com", external_id="42")
    ContactIdentity.objects.create(kind="external_id", value="42", contact_id=victim.pk, first_seen_at=clock.now())
    said = {"writeKey": key, "userId": "42", "subscription": SUBSCRIPTION}
    assert subscribe(said).json()["code"] == "unproven"
    secret = write_keys.renew_identity_secret(key_id)
    assert subscribe(said | {"user_hash": "0" * 64}).status_code == 400
    assert subscribe(said | {"user_hash": "0" * 64, "anonymousId": "a-1"}).status_code == 200
    assert PushDevice.objects.get().contact_id != victim.pk
    proof = hmac.new(secret.encode(), b"42", hashlib.sha256).hexdigest()
    assert subscribe(said | {"user_hash": proof}).status_code == 200
    assert PushDevice.objects.get().contact_id == victim.pk
    assert subscribe(said | {"writeKey": write_key("server")}).status_code == 200


def test_keys_and_origins_are_checked_as_for_events():
    assert subscribe({"anonymousId": "a-1", "subscription": SUBSCRIPTION}).status_code == 401
    key = write_key(origins=["https://shop.example"])
    said = {"writeKey": key, "anonymousId": "a-1", "subscription": SUBSCRIPTION}
    assert subscribe(said, Origin="https://evil.example").status_code == 403
    assert subscribe(said, Origin="https://shop.example").status_code == 200
    assert (
        subscribe({**said, "writeKey": ""}, Authorization=f"Bearer {key}", Origin="https://shop.example").status_code
        == 200
    )


def test_too_many_sign_ups_are_put_off(settings):
    settings.BROWSER_EVENTS_PER_SECOND = 1
    said = {"writeKey": write_key(), "anonymousId": "a-1", "subscription": SUBSCRIPTION}
    late = next(answer for answer in (subscribe(said) for _ in range(500)) if answer.status_code != 200)
    assert late.status_code == 429 and int(late["Retry-After"]) >= 1


@pytest.mark.parametrize(
    ("subscription", "place"),
    [
        (None, "subscription.target"),
        ({"endpoint": "https://10.0.0.1/", "keys": KEYS}, "subscription.target"),
        ({"endpoint": ENDPOINT}, "subscription.keys.p256dh"),
        ({"endpoint": ENDPOINT, "keys": [1]}, "subscription.keys.p256dh"),
    ],
)
def test_a_subscription_that_is_none_is_refused_by_its_place_and_creates_nobody(subscription, place):
    answer = subscribe({"writeKey": write_key(), "anonymousId": "a-1", "subscription": subscription})
    assert answer.status_code == 400 and answer.json()["message"].startswith(place)
    assert not PushDevice.objects.exists() and not Contact.objects.exists()


@settings(deadline=None)
@given(
    st.one_of(
        st.binary(max_size=300), st.just(b"[" * 5000), st.just(b"x" * 20_000), st.just(b'{"writeKey": "\\u0000"}')
    )
)
def test_no_bytes_are_an_error_of_ours(body):
    answer = Client().post("/push/subscribe", body, content_type="text/plain")
    assert answer.status_code in {400, 401, 413}


def test_browsers_of_every_origin_may_ask_first():
    answer = Client().options("/push/subscribe")
    assert answer.status_code == 204 and "POST" in answer["Access-Control-Allow-Methods"]
    assert Client().get("/push/subscribe").status_code == 405


def test_pages_get_the_key_and_the_worker(settings):
    settings.VAPID_PRIVATE_KEY = ""
    assert Client().get("/push/key").status_code == 404
    settings.VAPID_PRIVATE_KEY = vapid.new_private_key()
    key = Client().get("/push/key").json()["key"]
    assert len(base64.urlsafe_b64decode(key + "=")) == 65
    worker = Client().get("/push-worker.js")
    assert worker.status_code == 200 and worker["Content-Type"].startswith("text/javascript")
    assert b"showNotification" in worker.content and worker["Access-Control-Allow-Origin"] == "*"


def test_the_command_makes_a_key_that_works(settings, capsys):
    from django.core.management import call_command

    call_command("vapid_key")
    settings.VAPID_PRIVATE_KEY = capsys.readouterr().out.strip()
    assert vapid.authorization("https://push.example").startswith("vapid t=")
