"""What Amazon SNS signs, and with which certificate.

A body names the place of its certificate itself, so that place is looked at before anything is fetched: https, the host
of SNS in the region of a topic of ours, and the name that SNS gives to certificates. The certificate is fetched by the
guarded client for outgoing calls and kept; one that cannot be fetched is our trouble, and SNS comes again."""

from __future__ import annotations

import base64
import re
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from time import monotonic
from urllib.parse import urlencode

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from delivery.outgoing import calls
from delivery.outgoing.calls import Answered, Request
from delivery.webhooks.base import UnableToVerify

NOTIFICATION, SUBSCRIPTION, GOODBYE = "Notification", "SubscriptionConfirmation", "UnsubscribeConfirmation"
SIGNED: Mapping[str, Sequence[str]] = {  # the names whose values are signed, in order
    NOTIFICATION: ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    SUBSCRIPTION: ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    GOODBYE: ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
DIGESTS: Mapping[str, hashes.HashAlgorithm] = {"1": hashes.SHA1(), "2": hashes.SHA256()}  # noqa: S303 (SNS's version 1)
_CERTIFICATE = re.compile(
    r"https://sns\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/SimpleNotificationService-[A-Za-z0-9]{1,64}\.pem"
)
_ARN = re.compile(r"arn:(aws|aws-cn|aws-us-gov):sns:([a-z0-9-]{1,32}):[0-9]{12}:[A-Za-z0-9_-]{1,256}(\.fifo)?")
_TOKEN = re.compile(r"[A-Za-z0-9]{1,2048}")
KEPT_SECONDS = 24 * 3600.0
REFUSED_SECONDS = 60.0  # for so long one that could not be had is not asked for again
MOST_KEPT = 16


def region_of(topic: str) -> str:
    """The region in a topic's name; empty for what is none."""
    found = _ARN.fullmatch(topic)
    return found[2] if found else ""


def is_signed(told: Mapping[str, object]) -> bool:
    """Whether SNS signed this body for the topic that it names. Raises UnableToVerify."""
    names, digest = SIGNED.get(str(told.get("Type"))), DIGESTS.get(str(told.get("SignatureVersion")))
    place, topic = told.get("SigningCertURL"), told.get("TopicArn")
    if names is None or digest is None or not isinstance(place, str) or not isinstance(topic, str):
        return False
    if not is_certificate_of(place, region_of(topic)):
        return False
    try:
        signature = base64.b64decode(str(told.get("Signature")), validate=True)
    except ValueError:
        return False
    try:
        _key(place).verify(signature, canonical(told, names), padding.PKCS1v15(), digest)
    except InvalidSignature:
        return False
    return True


def canonical(told: Mapping[str, object], names: Sequence[str]) -> bytes:
    """Name and value of what is there, each with an end of line, the last one too."""
    lines = [f"{name}\n{told[name]}\n" for name in names if told.get(name) is not None]
    return "".join(lines).encode("utf-8", "replace")


def is_certificate_of(place: str, region: str) -> bool:
    """Whether a URL can be that of a certificate of SNS in this region."""
    found = _CERTIFICATE.fullmatch(place)  # the whole of it: what splits URLs may overlook something
    return found is not None and bool(region) and found[1] == region


def confirm(topic: str, token: str) -> None:
    """Confirm the subscription of a topic, at an address that we make up ourselves. Raises UnableToVerify."""
    region = region_of(topic)
    if not region or not _TOKEN.fullmatch(token):
        raise UnableToVerify("a subscription's token is none")
    end = ".cn" if region.startswith("cn-") else ""
    asked = urlencode({"Action": "ConfirmSubscription", "TopicArn": topic, "Token": token})
    answer = calls.start(Request("GET", f"https://sns.{region}.amazonaws.com{end}/?{asked}")).result()
    if not isinstance(answer, Answered) or not 200 <= answer.status < 300:
        raise UnableToVerify("the subscription could not be confirmed")


_known: OrderedDict[str, tuple[float, rsa.RSAPublicKey | None]] = OrderedDict()  # until when, and the key
_lock = threading.Lock()


def forget() -> None:
    """Fetch certificates anew."""
    with _lock:
        _known.clear()


def _key(place: str) -> rsa.RSAPublicKey:
    with _lock:
        until, key = _known.get(place, (0.0, None))
    if monotonic() >= until:
        key = _fetched(place)
        with _lock:
            _known[place] = (monotonic() + (KEPT_SECONDS if key else REFUSED_SECONDS), key)
            while len(_known) > MOST_KEPT:
                _known.popitem(last=False)
    if key is None:
        raise UnableToVerify("the certificate of SNS could not be fetched")
    return key


def _fetched(place: str) -> rsa.RSAPublicKey | None:
    answer = calls.start(Request("GET", place)).result()
    if not isinstance(answer, Answered) or answer.status != 200 or not answer.is_whole:
        return None
    try:
        key = x509.load_pem_x509_certificate(answer.body).public_key()
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, rsa.RSAPublicKey) else None
