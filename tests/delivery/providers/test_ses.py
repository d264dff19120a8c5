"""SES: the signature, the request, and what the answers mean."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import pytest

from delivery.providers import base, named
from delivery.providers.ses import signature
from delivery.providers.ses.signature import Credentials
from tests.delivery.providers.conftest import LETTER, MID, deliver, letter
from tests.delivery.providers.reading import read
from tests.delivery.providers.stub import AFTER_BODY, Reaction

pytestmark = pytest.mark.django_db
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
TOKEN = (
    "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwth"
    "Ax7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAk"
    "iY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="
)
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize(
    ("method", "query", "given", "body", "token", "signed", "expected"),
    [  # Amazon's own test suite of the signature
        (
            "GET", "", {}, b"", "", "host;x-amz-date",
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
        ),
        (
            "POST", "", {}, b"", "", "host;x-amz-date",
            "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
        ),
        (
            "GET", "?Param2=value2&Param1=value1", {}, b"", "", "host;x-amz-date",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        (
            "POST", "", FORM, b"Param1=value1", "", "content-type;host;x-amz-date",
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
        ),
        (
            "POST", "", {}, b"", TOKEN, "host;x-amz-date;x-amz-security-token",
            "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead",
        ),
    ],
)  # fmt: skip
def test_the_signature_is_the_one_that_amazon_publishes(method, query, given, body, token, signed, expected):
    headers = signature.headers(
        method,
        f"https://example.amazonaws.com/{query}",
        body=body,
        given=given,
        credentials=Credentials("AKIDEXAMPLE", SECRET, token),
        region="us-east-1",
        service="service",
        now=datetime(2015, 8, 30, 12, 36, tzinfo=UTC),
    )
    assert headers["X-Amz-Date"] == "20150830T123600Z"
    assert headers["Authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        f"SignedHeaders={signed}, Signature={expected}"
    )


def test_a_key_is_not_shown():
    assert SECRET not in repr(Credentials("AKIDEXAMPLE", SECRET, TOKEN))
    assert TOKEN not in repr(Credentials("AKIDEXAMPLE", SECRET, TOKEN))


@pytest.fixture
def ses(stub, settings) -> base.Provider:
    settings.AWS_ACCESS_KEY_ID, settings.AWS_SECRET_ACCESS_KEY, settings.AWS_REGION = "AKIDEXAMPLE", SECRET, "eu-west-1"
    settings.SES_API_URL = stub.url
    return named("ses")


def test_the_whole_mail_goes_with_our_id_as_a_tag(ses, stub, settings):
    settings.SES_CONFIGURATION_SET, settings.AWS_SESSION_TOKEN = "main", TOKEN
    stub.react = lambda request: Reaction(200, '{"MessageId": "1"}')
    assert deliver(ses, letter(to_address="ada@bücher.example", subject="Grüße 🎉")).kind == base.ACCEPTED
    (request,) = stub.received
    body = json.loads(request.body)
    mail = read(base64.b64decode(body.pop("Content")["Raw"]["Data"]))
    assert (str(mail["Subject"]), str(mail["To"])) == ("Grüße 🎉", "ada@xn--bcher-kva.example")
    assert body == {
        "Destination": {"ToAddresses": ["ada@xn--bcher-kva.example"]},
        "EmailTags": [{"Name": "mid", "Value": MID}],
        "ConfigurationSetName": "main",
    }
    assert (request.method, request.path) == ("POST", "/v2/email/outbound-emails")
    assert request.headers["X-Amz-Security-Token"] == TOKEN
    # what the signature was made over is what arrived
    stamp = datetime.strptime(request.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    assert (
        request.headers["Authorization"]
        == signature.headers(
            "POST",
            f"http://{request.headers['Host']}{request.path}",
            body=request.body,
            given={"Content-Type": request.headers["Content-Type"]},
            credentials=Credentials("AKIDEXAMPLE", SECRET, TOKEN),
            region="eu-west-1",
            service="ses",
            now=stamp,
        )["Authorization"]
    )


def test_transactional_mail_may_have_a_configuration_of_its_own(ses, stub, settings):
    settings.SES_CONFIGURATION_SET, settings.SES_CONFIGURATION_SET_TRANSACTIONAL = "news", "bills"
    for kind in ("marketing", "transactional"):
        deliver(ses, letter(message_class=kind))
    assert [json.loads(each.body)["ConfigurationSetName"] for each in stub.received] == ["news", "bills"]


@pytest.mark.parametrize(
    ("status", "fault", "kind", "reason"),
    [
        (400, "BadRequestException", base.REJECTED, "invalid_message"),
        (400, "MessageRejected", base.REJECTED, "message_rejected"),
        (400, "AccountSuspendedException", base.STOP, "account_suspended"),
        (400, "SendingPausedException", base.STOP, "sending_paused"),
        (400, "MailFromDomainNotVerifiedException", base.STOP, "sender_not_verified"),
        (400, "LimitExceededException", base.RETRY, "over_quota"),
        (400, "ThrottlingException", base.RETRY, "rate_limited"),
        (404, "NotFoundException:http://internal", base.STOP, "configuration_set_not_found"),
        (429, "TooManyRequestsException", base.RETRY, "rate_limited"),
        (403, "InvalidSignatureException", base.STOP, "unauthorized"),
        (403, "", base.STOP, "forbidden"),
        (413, "", base.REJECTED, "too_large"),
        (500, "InternalFailure", base.IN_DOUBT, "provider_error"),
        (502, "", base.IN_DOUBT, "bad_gateway"),
        (503, "", base.RETRY, "unavailable"),
        (504, "", base.IN_DOUBT, "gateway_timeout"),
    ],
)
def test_every_answer_has_its_meaning(ses, stub, status, fault, kind, reason):
    stub.react = lambda request: Reaction(status, '{"message": "Said so"}', {"x-amzn-ErrorType": fault})
    answer = deliver(ses)
    assert (answer.kind, answer.reason, answer.code, answer.said) == (kind, reason, status, "Said so")


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"__type": "com.amazonaws.sesv2#LimitExceeded", "message": "No"}, "over_quota"),
        ({"code": "Throttling", "message": "Maximum sending rate exceeded."}, "rate_limited"),
        ({"code": "Throttling", "message": "Daily message quota exceeded."}, "over_quota"),
    ],
)
def test_a_quota_is_no_fault_of_the_contacts_however_it_is_said(ses, stub, told, reason):
    stub.react = lambda request: Reaction(400, json.dumps(told), {})
    answer = deliver(ses)
    assert (answer.kind, answer.reason, answer.said) == (base.RETRY, reason, told["message"])


def test_a_lost_answer_is_a_doubt_and_a_late_lease_nothing(ses, stub):
    stub.react = lambda request: Reaction(breaks=AFTER_BODY)
    assert deliver(ses).kind == base.IN_DOUBT
    assert deliver(ses, LETTER, seconds=-1).kind == base.NOT_STARTED
    assert len(stub.received) == 1


def test_a_letter_that_can_be_no_mail_is_refused(ses, stub):
    assert deliver(ses, letter(headers={"Subject": "twice"})).kind == base.REJECTED
    assert stub.received == []
