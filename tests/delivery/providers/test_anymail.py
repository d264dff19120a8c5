"""The providers that Anymail knows: what they are sent, and what each of their answers means."""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import parse_qs

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as how
from hypothesis import strategies as st

from delivery.providers import base, entries, exchange, named
from delivery.providers.anymail import sending as anymail
from delivery.providers.anymail.carriers import CARRIERS
from delivery.providers.base import Letter
from delivery.providers.exchange import Request
from delivery.transport import Reply
from tests.delivery.providers.conftest import LETTER, MID, deliver, letter
from tests.delivery.providers.stub import AFTER_BODY, BEFORE_BODY, IN_ANSWER, Reaction, Received, Stub

NAMES = [carrier.name for carrier in CARRIERS]
TAKEN = {  # what each says of a mail that it has taken
    "postmark": (200, {"ErrorCode": 0, "Message": "OK", "MessageID": "1", "To": "ada@example.com"}),
    "mailgun": (200, {"id": "<1@x>", "message": "Queued. Thank you."}),
    "resend": (200, {"id": "1"}),
    "brevo": (201, {"messageId": "<1@x>"}),
    "mailersend": (202, None),
    "mailjet": (200, {"Messages": [{"Status": "success", "To": [{"Email": "ada@example.com", "MessageID": 1}]}]}),
    "mandrill": (200, [{"email": "ada@example.com", "status": "queued", "_id": "1"}]),
    "sparkpost": (
        200,
        {"results": {"total_accepted_recipients": 1, "total_rejected_recipients": 0, "id": "1"}},
    ),
    "unisender_go": (200, {"status": "success", "job_id": "1", "emails": ["ada@example.com"]}),
    "mailtrap": (200, {"success": True, "message_ids": ["1"]}),
    "scaleway": (200, {"emails": [{"mail_rcpt": "ada@example.com", "id": "1", "status": "sending"}]}),
    "postal": (200, {"status": "success", "data": {"messages": {"ada@example.com": {"id": 1}}}}),
}
REFUSED = {  # … of one that it will not send, with a 2xx
    "mandrill": [{"email": "ada@example.com", "status": "rejected", "_id": "1", "reject_reason": "hard-bounce"}],
    "sparkpost": {"results": {"total_accepted_recipients": 0, "total_rejected_recipients": 1, "id": "1"}},
    "unisender_go": {"status": "success", "emails": [], "failed_emails": {"ada@example.com": "unsubscribed"}},
    "mailersend": {"warnings": [{"type": "ALL_SUPPRESSED", "recipients": [{"email": "ada@example.com"}]}]},
}


@pytest.fixture(autouse=True)
def keys(settings) -> None:
    for carrier in CARRIERS:
        for name in carrier.needed:
            setattr(settings, name, "key")
    settings.UNISENDER_GO_API_URL = settings.POSTAL_API_URL = "https://esp.example/api/"
    settings.ESP_TIMEOUT_SECONDS = 2.0


@pytest.fixture
def at(stub: Stub, settings) -> Any:
    """A provider by name, whose server is the stub."""

    def at(name: str) -> base.Provider:
        setattr(settings, f"{name.upper()}_API_URL", f"{stub.url}/api/")
        return named(name)

    return at


def answer(status: int, body: Any = None, **more: Any) -> Reaction:
    text = body if isinstance(body, str) else "" if body is None else json.dumps(body)
    headers = {"Content-Type": "application/json"} if text else {"Content-Type": "text/html", "X-Message-Id": "1"}
    return Reaction(status, text, headers | more.pop("headers", {}), **more)


def always(reaction: Reaction) -> Any:
    return lambda request: reaction


def test_there_are_tests_for_all_of_them():
    assert set(NAMES) == set(TAKEN)
    assert all(entries()[name].make for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_letter_is_taken_and_our_id_goes_with_it(name, at, stub):
    stub.react = always(answer(*TAKEN[name]))
    assert deliver(at(name)).kind == base.ACCEPTED
    (request,) = stub.received
    words = request.body.decode()
    assert request.method == "POST" and MID in words
    assert "Welcome" in words and "mail.example" in words
    assert request.headers["Content-Type"].startswith(("application/json", "application/x-www-form-urlencoded"))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("reaction", "kind"),
    [
        (answer(400, {"message": "no"}), base.REJECTED),
        (answer(401, {"message": "no"}), base.STOP),
        (answer(403, {"message": "no"}), base.STOP),
        (answer(413, {"message": "no"}), base.REJECTED),
        (answer(418, {"message": "no"}), base.REJECTED),
        (answer(422, {"message": "no"}), base.REJECTED),
        (answer(302, "", headers={"Location": "https://elsewhere.example/"}), base.STOP),
        (answer(429, {"message": "slow"}), base.RETRY),
        (answer(503, {"message": "later"}), base.RETRY),
        (answer(500, {"message": "oops"}), base.IN_DOUBT),
        (answer(502, "<html>"), base.IN_DOUBT),
        (answer(504, "<html>"), base.IN_DOUBT),
        (answer(599), base.IN_DOUBT),
        (answer(200, "<html>not what was agreed</html>"), base.IN_DOUBT),
        (Reaction(breaks=BEFORE_BODY), base.IN_DOUBT),
        (Reaction(breaks=AFTER_BODY), base.IN_DOUBT),
        (Reaction(500, breaks=IN_ANSWER), base.IN_DOUBT),
    ],
)
def test_every_answer_has_its_meaning(name, reaction, kind, at, stub):
    stub.react = always(reaction)
    got = deliver(at(name))
    assert got.kind == kind, got
    assert len(stub.received) == 1


@pytest.mark.parametrize(("name", "body"), REFUSED.items())
def test_a_good_status_may_still_say_no(name, body, at, stub):
    stub.react = always(answer(200, body))
    assert deliver(at(name)).kind == base.REJECTED


@pytest.mark.parametrize(
    ("name", "status", "body", "kind", "reason"),
    [
        ("postmark", 422, {"ErrorCode": 406, "Message": "inactive"}, base.REJECTED, "inactive_recipient"),
        ("postmark", 422, {"ErrorCode": 400, "Message": "no such sender"}, base.STOP, "sender_not_found"),
        ("postmark", 422, {"ErrorCode": 405, "Message": "pay"}, base.STOP, "out_of_credits"),
        ("postmark", 422, {"ErrorCode": 300, "Message": "bad"}, base.REJECTED, "invalid_message"),
        ("mailgun", 200, "Mailgun Magnificent API", base.STOP, "wrong_address"),
        ("mailgun", 404, {"message": "Domain not found"}, base.STOP, "not_found"),
        ("resend", 409, {"name": "invalid_idempotent_request"}, base.IN_DOUBT, "seen_before"),
        ("resend", 409, {"name": "concurrent_idempotent_requests"}, base.IN_DOUBT, "seen_before"),
        ("resend", 429, {"name": "daily_quota_exceeded"}, base.STOP, "over_quota"),
        ("resend", 429, {"name": "rate_limit_exceeded"}, base.RETRY, "rate_limited"),
        ("brevo", 400, {"code": "duplicate_parameter"}, base.ACCEPTED, "seen_before"),
        ("brevo", 400, {"code": "not_enough_credits"}, base.STOP, "out_of_credits"),
        ("mandrill", 500, {"status": "error", "name": "Invalid_Key"}, base.STOP, "unauthorized"),
        ("mandrill", 500, {"status": "error", "name": "ValidationError"}, base.REJECTED, "invalid_message"),
        ("mandrill", 500, {"status": "error", "name": "GeneralError"}, base.IN_DOUBT, "provider_error"),
        ("sparkpost", 409, {"errors": [{"code": "1600"}]}, base.IN_DOUBT, "seen_before"),
        ("sparkpost", 420, {"errors": [{"code": "2102"}]}, base.STOP, "over_quota"),
        ("scaleway", 403, {"type": "quotas_exceeded"}, base.STOP, "over_quota"),
        ("postal", 200, {"status": "error", "data": {"code": "InvalidServerAPIKey"}}, base.STOP, "unauthorized"),
        ("mailjet", 400, {"Messages": [{"Status": "error", "Errors": []}]}, base.REJECTED, "invalid_message"),
    ],
)
def test_the_names_of_faults_are_looked_at_before_the_status(name, status, body, kind, reason, at, stub):
    stub.react = always(answer(status, body))
    got = deliver(at(name))
    assert (got.kind, got.reason, got.code) == (kind, reason, status)


def test_when_to_come_back_is_kept(at, stub):
    stub.react = always(answer(429, {"name": "rate_limit_exceeded"}, headers={"Retry-After": "7"}))
    assert deliver(at("resend")).retry_after == 7


def test_nobody_there_is_no_doubt(settings):
    settings.RESEND_API_URL = "http://127.0.0.1:9/"  # discard: nothing listens
    got = deliver(named("resend"))
    assert (got.kind, got.reason) == (base.RETRY, "no_connection")


def test_a_fault_of_ours_stops_the_provider_and_burns_nothing(settings):
    del settings.RESEND_API_KEY
    assert (deliver(named("resend")).kind, deliver(named("resend")).reason) == (base.STOP, "misconfigured")
    settings.POSTAL_API_URL = "mail.example"
    assert deliver(named("postal")).kind == base.STOP


def test_who_does_not_answer_in_time_leaves_a_doubt(at, stub, settings):
    settings.ESP_TIMEOUT_SECONDS = 0.3
    stub.react = always(answer(*TAKEN["postmark"], latency=1.0))
    assert deliver(at("postmark")).kind == base.IN_DOUBT


def test_nothing_is_sent_once_the_lease_is_over(at, stub):
    assert deliver(at("postmark"), seconds=-0.1).kind == base.NOT_STARTED
    assert stub.received == []


def _fields(request: Received) -> dict[str, Any]:
    if request.headers["Content-Type"].startswith("application/json"):
        return json.loads(request.body)
    return {name: values[0] for name, values in parse_qs(request.body.decode()).items()}


def _sent(provider: base.Provider, stub: Stub, **changes: Any) -> tuple[dict[str, Any], dict[str, str]]:
    stub.react = always(answer(500))
    deliver(provider, letter(**changes))
    return _fields(stub.received[-1]), stub.received[-1].headers


def test_marketing_and_transactional_mail_go_their_own_ways(at, stub, settings):
    assert _sent(at("postmark"), stub)[0]["MessageStream"] == "broadcast"
    assert _sent(at("postmark"), stub, message_class="transactional")[0]["MessageStream"] == "outbound"
    settings.SPARKPOST_IP_POOL_MARKETING = "news"
    options, _ = _sent(at("sparkpost"), stub)
    assert (options["options"]["ip_pool"], options["options"]["transactional"]) == ("news", False)
    settings.MAILGUN_IP_POOL_TRANSACTIONAL = "bills"
    assert "o:sending-ip-pool" not in _sent(at("mailgun"), stub)[0]
    assert _sent(at("mailgun"), stub, message_class="transactional")[0]["o:sending-ip-pool"] == "bills"
    settings.MANDRILL_IP_POOL_MARKETING = "news"
    assert _sent(at("mandrill"), stub)[0]["message"]["ip_pool"] == "news"


def test_who_knows_a_second_request_gets_a_key_to_know_it_by(at, stub):
    assert _sent(at("resend"), stub)[1]["Idempotency-Key"] == MID
    assert _sent(at("sparkpost"), stub)[1]["Idempotency-Key"] == MID
    assert _sent(at("brevo"), stub)[0]["headers"]["idempotencyKey"] == MID
    able = {carrier.name for carrier in CARRIERS if carrier.repeats_within}
    assert able == {"resend", "sparkpost", "brevo"}


def test_the_same_letter_is_the_same_request(at, stub):
    for name in ("resend", "sparkpost", "brevo"):
        first, second = _sent(at(name), stub), _sent(at(name), stub)
        assert first[0] == second[0]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "changes",
    [
        {"from_name": 'Grüße; "Söhne", GmbH\r\nBcc: eve@example.net\x00'},
        {"subject": "Two\r\nBcc: eve@example.net"},
        {"to_address": "ada@bücher.example"},
        {"subject": "שלום עולם 😀", "from_name": "日本語"},
    ],
)
def test_names_and_subjects_of_all_kinds_stay_one_line(name, changes, at, stub):
    stub.react = always(answer(500))
    assert deliver(at(name), letter(**changes)).kind == base.IN_DOUBT  # it was sent
    words = stub.received[-1].body.decode()
    for poison in ("\r\nBcc", "\\r", "\\nBcc", "\x00", "%0D", "%0ABcc", "bücher", "\\u00fccher"):
        assert poison not in words


@pytest.mark.parametrize(
    "changes",
    [
        {"headers": {"X-Note": "one\r\nBcc: eve@example.net"}},
        {"headers": {"X-Note\r\nBcc": "eve@example.net"}},
        {"headers": {"X-Note": "nul\x00"}},
        {"headers": {"X:Y": "colon"}},
        {"to_address": "ada@example.com\r\nRCPT TO:<eve@example.net>"},
        {"to_address": "ada@example.com, eve@example.net"},
        {"to_address": "nobody"},
        {"from_address": "hello@carillon.example>\n"},
    ],
)
def test_a_header_or_an_address_that_would_be_two_is_refused(changes, at, stub):
    assert deliver(at("mailgun"), letter(**changes)).kind == base.REJECTED
    assert stub.received == []


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize("name", NAMES)
@how(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(status=st.integers(100, 599), body=_json.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=40))
@example(status=200, body=b"[" * 5000)
@example(status=200, body=b'{"ErrorCode": [1]}')
def test_whatever_comes_back_means_something_and_never_that_nothing_was_sent(name, status, body):
    """A request began: it was taken, refused, or nobody knows; only a status that says so means "not taken"."""
    carrier = next(each for each in CARRIERS if each.name == name)
    backend = anymail._backend(carrier.backend, tuple(sorted(carrier.options().items())))
    request = anymail.request(carrier, backend, LETTER)
    got = request.read(Reply(status, {"Content-Type": "application/json"}, body))
    assert got.kind != base.NOT_STARTED
    if got.kind in (base.RETRY, base.STOP) and got.reason not in {reason for _, reason in carrier.codes.values()}:
        assert status in {301, 302, 307, 308, 401, 402, 403, 404, 408, 420, 429, 503}
    if status >= 500 and status != 503:
        assert got.kind == base.IN_DOUBT
    if status < 200 or 300 <= status < 400:
        assert got.kind in (base.IN_DOUBT, base.STOP)


def test_a_letter_at_which_the_package_breaks_leaves_the_others_alone():
    """Else those that are on their way would stay in doubt."""
    taken: list[str] = []

    def write(letter: Letter) -> Request:
        if letter.mid == "bad":
            raise KeyError("nobody thought of this")
        taken.append(letter.mid)
        raise exchange.Misconfigured("as far as this goes")

    letters = [Letter(mid, "a@x.example", "b@x.example", "", "Hi", "", "Hi") for mid in ("bad", "good")]
    answers = exchange.hand_over(letters, write, start_before=time.monotonic() + 5)
    assert (answers["bad"].kind, answers["bad"].reason) == (base.REJECTED, "invalid_message")
    assert taken == ["good"]
