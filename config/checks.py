"""Settings that contradict each other or the world: found by `manage.py check`, before they are found by a contact."""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.admin.checks import check_admin_app
from django.core.checks import CheckMessage, Error, Info, Tags, Warning, register
from django.db import connection
from django.http.request import validate_host

from contacts.durations import BadDuration, parse_duration
from contacts.identifiers import is_email

if TYPE_CHECKING:
    from delivery.providers.base import Entry

PROVIDER_SETTINGS = {
    "email": ("EMAIL_PROVIDER", "EMAIL_FALLBACK_PROVIDER"),
    "sms": ("SMS_PROVIDER",),
    "push": ("PUSH_PROVIDER",),
}
LOOPBACK = {"localhost", "127.0.0.1", "::1"}
DEVELOPMENT_KEY = "insecure-development-key"
CHOICES = {
    "DEFAULT_TRACKING_CONSENT": ("granted", "denied"),
    "MARKETING_CONSENT": ("opt_out", "opt_in"),
}
DURATIONS = ("EVENT_TRIGGER_MAX_AGE", "IN_DOUBT_DEADLINE", "OPT_IN_LIFETIME", "ALERT_AGAIN_AFTER")
RETENTIONS = (
    "EVENT_RETENTION",
    "EVENT_KEY_RETENTION",
    "QUARANTINE_RETENTION",
    "CONTACT_RETENTION",
    "MESSAGE_RETENTION",
    "WEBHOOK_RETENTION",
    "WEBHOOK_DELIVERY_RETENTION",
    "AUDIT_RETENTION",
)  # empty: for ever
LIMITS = ["idle_in_transaction_session_timeout", "lock_timeout", "statement_timeout"]
BROKERS = ("redis", "rediss", "amqp", "amqps")


@register("carillon")
def settings_make_sense(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    return [*_the_house(), *_delivery(), *_public_pages(), *_time_and_consent(), *_watching()]


@register(Tags.admin)
def pages_are_whole(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Django's own check of the admin sees what is registered by then; the pages are registered by the routes."""
    import_module("config.urls")
    return check_admin_app(app_configs)


@register(Tags.database)
def erased_people_are_known(app_configs: Any = None, databases: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """`check --database default`, and `migrate`: nobody starts without the keys that old tombstones were made with."""
    from contacts.privacy import tombstones

    if "default" not in (databases or ()) or not (unknown := tombstones.unknown_fingerprints()):
        return []
    return [
        Error(
            f"People were erased with {len(unknown)} key(s) that nobody has now ({', '.join(sorted(unknown))}): their "
            "addresses would be taken for new ones, and their suppressions would not be found.",
            hint="Add the earlier key to PRIVACY_KEY_FALLBACKS, or the earlier SECRET_KEY to SECRET_KEY_FALLBACKS.",
            id="carillon.E031",
        )
    ]


@register(Tags.database)
def limits_reach_the_database(app_configs: Any = None, databases: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """`check --database default`: a pooler may take a connection's options and do nothing about them."""
    if "default" not in (databases or ()) or settings.DATABASE_OWNER_SESSION:
        return []
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM pg_settings WHERE name = ANY(%s) AND setting = '0' ORDER BY 1", [LIMITS])
        without = [name for (name,) in cursor.fetchall()]
    if not without:
        return []
    return [
        Warning(
            f"Sessions of the database have no {', '.join(without)}: a statement that hangs would hang for ever, and "
            "whoever waits for its locks with it.",
            hint="A pooler in between drops them: let it set them itself, by a connect_query as in "
            "docs/operations/pgbouncer.ini.",
            id="carillon.W005",
        )
    ]


def _the_house() -> Iterator[CheckMessage]:
    url = urlsplit(settings.PUBLIC_URL)
    if url.scheme not in {"http", "https"} or not url.hostname:
        yield Error(
            f"PUBLIC_URL is {settings.PUBLIC_URL!r}, which is no address of a web site.",
            hint="Set it to the address under which the world reaches this installation: https://bells.example.com",
            id="carillon.E001",
        )
    elif not settings.DEBUG and not validate_host(_as_header(url.hostname), settings.ALLOWED_HOSTS):
        yield Error(
            f"ALLOWED_HOSTS lacks {url.hostname}, the host of PUBLIC_URL: every link in a message would fail.",
            hint="Add it to the comma-separated list ALLOWED_HOSTS.",
            id="carillon.E002",
        )
    if settings.SECRET_KEY.startswith(DEVELOPMENT_KEY) and _faces_the_world():
        yield Error(
            "SECRET_KEY is the one that everybody knows: unsubscribe links and sessions could be forged.",
            hint="Set SECRET_KEY or SECRET_KEY_FILE to a random text of 50 characters or more, and keep it.",
            id="carillon.E003",
        )
    for name, known in (("REDIS_URL", BROKERS[:2]), ("CELERY_BROKER_URL", BROKERS)):
        if urlsplit(getattr(settings, name)).scheme not in known:
            yield Error(
                f"{name} begins with none of {', '.join(f'{scheme}://' for scheme in known)}.",
                id="carillon.E004",
            )


def _delivery() -> Iterator[CheckMessage]:
    from delivery.providers import CHANNELS, entries, names

    for channel in CHANNELS:
        for name in names(channel):
            yield from _provider(channel, name, entries().get(name))
    if settings.EMAIL_FALLBACK_PROVIDER == "sandbox" and _leaves(settings.EMAIL_PROVIDER):
        yield Error(
            f"EMAIL_FALLBACK_PROVIDER is sandbox and EMAIL_PROVIDER is {settings.EMAIL_PROVIDER}: what the sandbox "
            "takes over counts as sent and reaches nobody.",
            hint="Name a provider that delivers, or leave EMAIL_FALLBACK_PROVIDER empty: then messages wait.",
            id="carillon.E015",
        )
    provider = settings.EMAIL_PROVIDER
    leaving = [f"{channel.upper()}_PROVIDER is {names(channel)[0]}" for channel in CHANNELS if _is_real(channel)]
    if leaving and settings.TIME_SPEED > 1:
        yield Error(
            f"TIME_SPEED is {settings.TIME_SPEED:g} and {leaving[0]}: real people would get the messages of weeks "
            "within minutes.",
            hint="Time runs faster than life with the sandbox only: unset TIME_SPEED.",
            id="carillon.E013",
        )
    if _reaches_people() and urlsplit(settings.PUBLIC_URL).hostname in LOOPBACK:
        yield Warning(
            f"PUBLIC_URL is {settings.PUBLIC_URL} and EMAIL_PROVIDER is {provider}: nobody could follow a link, "
            "not even to unsubscribe.",
            hint="Set PUBLIC_URL to the address under which the world reaches this installation.",
            id="carillon.W014",
        )


def _provider(channel: str, name: str, entry: Entry | None) -> Iterator[CheckMessage]:
    from delivery.providers import entries
    from delivery.providers.base import setting

    chosen_by = next(each for each in PROVIDER_SETTINGS[channel] if getattr(settings, each) == name)
    if entry is None or entry.make is None or channel not in entry.channels:
        known = sorted(each.name for each in entries().values() if each.make and channel in each.channels)
        yield Error(
            f"{chosen_by} is {name!r}, which nobody answers to.",
            hint=f"Known are: {', '.join(known)}.",
            id="carillon.E010",
        )
        return
    for missing in (each for each in entry.needed if not setting(each)):
        yield Error(
            f"{chosen_by} is {name} and there is no {missing}: it would refuse every message.",
            hint=f"Set {missing} or {missing}_FILE.",
            id="carillon.E011",
        )
    for missing in (each for each in entry.advised if not setting(each)):
        yield Warning(
            f"There is no {missing}: bounces and complaints that {name} reports are refused.",
            hint=f"Set {missing} or {missing}_FILE to what {name} shows where its webhook is set up.",
            id="carillon.W012",
        )


def _public_pages() -> Iterator[CheckMessage]:
    from delivery import branding
    from delivery.public.topics import RESERVED

    if _reaches_people() and not branding.postal_address():
        yield Info(  # no warning: it is no fault of the installation that stops a deployment
            "There is no POSTAL_ADDRESS: marketing mail does not say where it comes from, which many countries want.",
            hint="Set it to your name and address in one line; it then stands below every marketing mail.",
            id="carillon.I040",
        )
    if settings.BRAND_COLOR and branding.color_of(settings.BRAND_COLOR) is None:
        yield Error(f"BRAND_COLOR is {settings.BRAND_COLOR!r}.", hint="Write it as #1d4ed8.", id="carillon.E041")
    if settings.BRAND_LOGO_URL and not branding.is_picture(settings.BRAND_LOGO_URL):
        yield Error(
            "BRAND_LOGO_URL is no address of a picture that pages may load.",
            hint="It begins with https:// and has no spaces, commas or semicolons.",
            id="carillon.E042",
        )
    if reserved := sorted(RESERVED & settings.TOPICS.keys()):
        yield Error(
            f"TOPICS names {', '.join(reserved)}, which stand for all marketing and for channels.",
            hint="Give the topic another name.",
            id="carillon.E043",
        )
    if settings.UNSUBSCRIBE_MAILTO and not is_email(settings.UNSUBSCRIBE_MAILTO):
        yield Error("UNSUBSCRIBE_MAILTO is no e-mail address.", hint="Unset it, or name a mailbox.", id="carillon.E044")


def _time_and_consent() -> Iterator[CheckMessage]:
    if settings.DEFAULT_TIMEZONE not in zoneinfo.available_timezones():
        yield Error(
            f"DEFAULT_TIMEZONE is {settings.DEFAULT_TIMEZONE!r}, which is no time zone.",
            hint="Use a name of the IANA database, such as Europe/Berlin or UTC.",
            id="carillon.E020",
        )
    for name in (*DURATIONS, *(name for name in RETENTIONS if getattr(settings, name))):
        try:
            parse_duration(getattr(settings, name))
        except BadDuration as error:
            yield Error(f"{name}: {error}.", id="carillon.E021")
    if _is_shorter(settings.EVENT_KEY_RETENTION, settings.EVENT_TRIGGER_MAX_AGE):
        yield Error(
            "EVENT_KEY_RETENTION is shorter than EVENT_TRIGGER_MAX_AGE: an event that is sent again in between would "
            "start its workflows twice.",
            hint="Let it be at least as long.",
            id="carillon.E023",
        )
    for name, known in CHOICES.items():
        if getattr(settings, name) not in known:
            yield Error(
                f"{name} is {getattr(settings, name)!r}.", hint=f"Use one of: {', '.join(known)}.", id="carillon.E022"
            )


def _watching() -> Iterator[CheckMessage]:
    from delivery.outgoing import targets

    if wrong := [address for address in settings.ALERT_EMAIL if not is_email(address)]:
        yield Error(f"ALERT_EMAIL: {len(wrong)} of its addresses are none.", id="carillon.E050")
    if settings.ALERT_WEBHOOK_URL:
        try:
            targets.check(settings.ALERT_WEBHOOK_URL)
        except targets.BadTarget as error:
            yield Error(f"ALERT_WEBHOOK_URL: {error}.", id="carillon.E051")
    if settings.OTEL_EXPORTER_OTLP_ENDPOINT and not (find_spec("opentelemetry") and find_spec("opentelemetry.sdk")):
        yield Warning(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, and OpenTelemetry is not installed: there are no traces.",
            hint="Install it with pip install -r requirements-tracing.txt.",
            id="carillon.W052",
        )


def _is_shorter(one: str, other: str) -> bool:
    """Of two durations; empty is for ever. What is no duration is said elsewhere."""
    try:
        return bool(one and other) and parse_duration(one).total() < parse_duration(other).total()
    except BadDuration:
        return False


def _reaches_people() -> bool:
    """Whether messages leave this machine: not with the sandbox, nor with a stub in the provider's place."""
    return _leaves(settings.EMAIL_PROVIDER)


def _is_real(channel: str) -> bool:
    """Whether messages of the channel leave this machine, by any of its providers."""
    from delivery.providers import names

    return any(map(_leaves, names(channel)))


def _leaves(provider: str) -> bool:
    from delivery.providers.base import setting

    return provider != "sandbox" and urlsplit(setting(f"{provider.upper()}_API_URL")).hostname not in LOOPBACK


def _faces_the_world() -> bool:
    return _reaches_people() or urlsplit(settings.PUBLIC_URL).hostname not in LOOPBACK


def _as_header(host: str) -> str:
    """As it stands in a Host header: IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host
