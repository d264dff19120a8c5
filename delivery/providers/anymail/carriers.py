"""The providers, one by one. Source of the meanings: what each documents of its errors; where it says nothing of a 5xx,
whether the mail was taken is not known."""

from __future__ import annotations

from typing import Any

from delivery.providers.anymail import searches
from delivery.providers.anymail.carrier import Carrier
from delivery.providers.base import ACCEPTED, IN_DOUBT, REJECTED, RETRY, STOP, Letter, setting

DAY = 24 * 3600.0


def _given(**options: Any) -> dict[str, Any]:
    """Only what is set: the rest is Anymail's own default."""
    return {name: value for name, value in options.items() if value}


def _of_class(letter: Letter, marketing: str, transactional: str) -> str:
    return marketing if letter.message_class == "marketing" else transactional


def _postmark_stream(letter: Letter) -> dict[str, Any]:
    streams = setting("POSTMARK_STREAM_MARKETING", "broadcast"), setting("POSTMARK_STREAM_TRANSACTIONAL", "outbound")
    return {"MessageStream": _of_class(letter, *streams)}


def _mailgun_pool(letter: Letter) -> dict[str, Any]:
    pool = _of_class(letter, setting("MAILGUN_IP_POOL_MARKETING"), setting("MAILGUN_IP_POOL_TRANSACTIONAL"))
    return {"o:sending-ip-pool": pool} if pool else {}


def _mandrill_pool(letter: Letter) -> dict[str, Any]:
    pool = _of_class(letter, setting("MANDRILL_IP_POOL_MARKETING"), setting("MANDRILL_IP_POOL_TRANSACTIONAL"))
    return {"message": {"ip_pool": pool}} if pool else {}


def _sparkpost_options(letter: Letter) -> dict[str, Any]:
    pool = _of_class(letter, setting("SPARKPOST_IP_POOL_MARKETING"), setting("SPARKPOST_IP_POOL_TRANSACTIONAL"))
    return {"options": {"transactional": letter.message_class == "transactional"} | ({"ip_pool": pool} if pool else {})}


def _key(letter: Letter) -> dict[str, str]:
    return {"Idempotency-Key": letter.mid}


CARRIERS = (
    Carrier(
        "postmark",
        "postmark",
        lambda: _given(server_token=setting("POSTMARK_SERVER_TOKEN"), api_url=setting("POSTMARK_API_URL")),
        needed=("POSTMARK_SERVER_TOKEN",),
        does_track=True,
        asks_to_track=True,
        code=lambda body: body["ErrorCode"],
        codes={
            "10": (STOP, "unauthorized"),
            "300": (REJECTED, "invalid_message"),
            "400": (STOP, "sender_not_found"),
            "401": (STOP, "sender_not_confirmed"),
            "405": (STOP, "out_of_credits"),
            "406": (REJECTED, "inactive_recipient"),
            "411": (REJECTED, "refused"),
            "412": (STOP, "account_pending"),
            "413": (STOP, "account_may_not_send"),
            "1235": (STOP, "no_such_stream"),
            "1236": (STOP, "stream_takes_no_mail"),
        },
        particulars=_postmark_stream,
        look_up=searches.postmark,
    ),
    Carrier(
        "mailgun",
        "mailgun",
        lambda: _given(
            api_key=setting("MAILGUN_API_KEY"),
            sender_domain=setting("MAILGUN_SENDER_DOMAIN"),
            api_url=setting("MAILGUN_API_URL"),
        ),
        needed=("MAILGUN_API_KEY",),
        does_track=True,
        asks_to_track=True,
        code=lambda body: "wrong_address" if "Mailgun Magnificent API" in body else "",
        codes={"wrong_address": (STOP, "wrong_address")},  # what it says, with 200, where nothing is
        particulars=_mailgun_pool,
        headers=lambda letter: {"Message-Id": f"<{searches.message_id(letter.mid, letter.from_address)}>"},
        look_up=searches.mailgun,
    ),
    Carrier(
        "resend",
        "resend",
        lambda: _given(api_key=setting("RESEND_API_KEY"), api_url=setting("RESEND_API_URL")),
        needed=("RESEND_API_KEY",),
        repeats_within=DAY,
        statuses={409: (IN_DOUBT, "seen_before")},
        code=lambda body: body["name"],
        codes={"daily_quota_exceeded": (STOP, "over_quota"), "monthly_quota_exceeded": (STOP, "over_quota")},
        http_headers=_key,
    ),
    Carrier(
        "brevo",
        "brevo",
        lambda: _given(api_key=setting("BREVO_API_KEY"), api_url=setting("BREVO_API_URL")),
        needed=("BREVO_API_KEY",),
        does_track=True,
        repeats_within=15 * 60.0,  # documented as 30 minutes now, as 15 before
        code=lambda body: body["code"],
        codes={
            "duplicate_parameter": (ACCEPTED, "seen_before"),  # it knows the key: it has taken the first request
            "not_enough_credits": (STOP, "out_of_credits"),
            "account_under_validation": (STOP, "account_pending"),
        },
        headers=lambda letter: {"idempotencyKey": letter.mid},
    ),
    Carrier(
        "mailersend",
        "mailersend",
        lambda: _given(api_token=setting("MAILERSEND_API_TOKEN"), api_url=setting("MAILERSEND_API_URL")),
        needed=("MAILERSEND_API_TOKEN",),
        does_track=True,
        asks_to_track=True,
        id_is_tag=True,
    ),
    Carrier(
        "mailjet",
        "mailjet",
        lambda: _given(
            api_key=setting("MAILJET_API_KEY"),
            secret_key=setting("MAILJET_SECRET_KEY"),
            api_url=setting("MAILJET_API_URL"),
        ),
        needed=("MAILJET_API_KEY", "MAILJET_SECRET_KEY"),
        does_track=True,
        asks_to_track=True,
    ),
    Carrier(
        "mandrill",
        "mandrill",
        lambda: _given(api_key=setting("MANDRILL_API_KEY"), api_url=setting("MANDRILL_API_URL")),
        needed=("MANDRILL_API_KEY",),
        does_track=True,
        asks_to_track=True,
        code=lambda body: body["name"],  # of every fault, whose status is always 500
        codes={
            "Invalid_Key": (STOP, "unauthorized"),
            "PaymentRequired": (STOP, "payment_required"),
            "Unknown_Subaccount": (STOP, "no_such_subaccount"),
            "ValidationError": (REJECTED, "invalid_message"),
            "ServiceUnavailable": (RETRY, "unavailable"),
        },
        particulars=_mandrill_pool,
    ),
    Carrier(
        "sparkpost",
        "sparkpost",
        lambda: _given(
            api_key=setting("SPARKPOST_API_KEY"),
            subaccount=setting("SPARKPOST_SUBACCOUNT"),
            api_url=setting("SPARKPOST_API_URL"),
        ),
        needed=("SPARKPOST_API_KEY",),
        does_track=True,
        asks_to_track=True,
        repeats_within=DAY,
        statuses={409: (IN_DOUBT, "seen_before"), 420: (STOP, "over_quota")},
        code=lambda body: body["errors"][0]["code"],
        codes={"1602": (REJECTED, "invalid_message")},
        particulars=_sparkpost_options,
        http_headers=_key,
    ),
    Carrier(
        "unisender_go",
        "unisender_go",
        lambda: (
            _given(api_key=setting("UNISENDER_GO_API_KEY"), api_url=setting("UNISENDER_GO_API_URL"))
            | {"generate_message_id": False}
        ),
        needed=("UNISENDER_GO_API_KEY", "UNISENDER_GO_API_URL"),
        does_track=True,
        asks_to_track=True,
    ),
    Carrier(
        "mailtrap",
        "mailtrap",
        lambda: _given(api_token=setting("MAILTRAP_API_TOKEN"), api_url=setting("MAILTRAP_API_URL")),
        needed=("MAILTRAP_API_TOKEN",),
    ),
    Carrier(
        "scaleway",
        "scaleway",
        lambda: _given(
            secret_key=setting("SCALEWAY_SECRET_KEY"),
            project_id=setting("SCALEWAY_PROJECT_ID"),
            region=setting("SCALEWAY_REGION"),
            api_url=setting("SCALEWAY_API_URL"),
        ),
        needed=("SCALEWAY_SECRET_KEY", "SCALEWAY_PROJECT_ID"),
        code=lambda body: body["type"],
        codes={"quotas_exceeded": (STOP, "over_quota")},
    ),
    Carrier(
        "postal",
        "postal",
        lambda: _given(api_key=setting("POSTAL_API_KEY"), api_url=setting("POSTAL_API_URL")),
        needed=("POSTAL_API_KEY", "POSTAL_API_URL"),
        code=lambda body: body["data"]["code"],  # of every fault, whose status is always 200
        codes={
            "InvalidServerAPIKey": (STOP, "unauthorized"),
            "AccessDenied": (STOP, "unauthorized"),
            "ServerSuspended": (STOP, "account_suspended"),
            "UnauthenticatedFromAddress": (STOP, "sender_not_verified"),
            "FromAddressMissing": (STOP, "sender_not_verified"),
            "NoRecipients": (REJECTED, "invalid_message"),
            "NoContent": (REJECTED, "invalid_message"),
            "ValidationError": (REJECTED, "invalid_message"),
        },
        id_is_tag=True,
    ),
)
