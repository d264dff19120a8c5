"""`manage.py check` finds the settings that contradict each other."""

import os
import subprocess
import sys

import pytest
from django.conf import settings as current
from django.core.checks import Error, Warning

from config import checks
from config.checks import settings_make_sense

SENDGRID = {
    "EMAIL_PROVIDER": "sendgrid",
    "SENDGRID_API_KEY": "key",
    "SENDGRID_WEBHOOK_PUBLIC_KEY": "key",
    "POSTAL_ADDRESS": "Bells Ltd, 1 High Street",
}
TWILIO = {
    "SMS_PROVIDER": "twilio",
    "TWILIO_ACCOUNT_SID": "AC1",
    "TWILIO_AUTH_TOKEN": "token",
    "TWILIO_FROM": "+4930",
}
IN_THE_WORLD = {
    "PUBLIC_URL": "https://bells.example.com",
    "ALLOWED_HOSTS": ["bells.example.com"],
    "SECRET_KEY": "a-key-of-its-own-that-nobody-knows",
    "POSTAL_ADDRESS": "Bells Ltd, 1 High Street",
}


def found(settings, changed):
    for name, value in changed.items():
        setattr(settings, name, value)
    return {message.id: message for message in settings_make_sense()}


@pytest.mark.parametrize(
    ("changed", "ids"),
    [
        ({}, set()),
        (IN_THE_WORLD, set()),
        (IN_THE_WORLD | SENDGRID, set()),
        ({"PUBLIC_URL": "bells.example.com"}, {"carillon.E001", "carillon.E003"}),
        (IN_THE_WORLD | {"ALLOWED_HOSTS": ["other.example.com"]}, {"carillon.E002"}),
        ({"PUBLIC_URL": "http://[::1]:8000", "ALLOWED_HOSTS": ["[::1]"]}, set()),
        (IN_THE_WORLD | {"SECRET_KEY": "insecure-development-key-that-check-deploy-refuses"}, {"carillon.E003"}),
        ({"REDIS_URL": "127.0.0.1:6379"}, {"carillon.E004"}),
        ({"CELERY_BROKER_URL": "amqp://broker.example//"}, set()),
        ({"CELERY_BROKER_URL": "kafka://broker.example"}, {"carillon.E004"}),
        ({"EMAIL_PROVIDER": "pigeon"} | IN_THE_WORLD, {"carillon.E010"}),
        (IN_THE_WORLD | SENDGRID | {"SENDGRID_API_KEY": ""}, {"carillon.E011"}),
        (IN_THE_WORLD | SENDGRID | {"SENDGRID_WEBHOOK_PUBLIC_KEY": ""}, {"carillon.W012"}),
        (IN_THE_WORLD | SENDGRID | {"TIME_SPEED": 60.0}, {"carillon.E013"}),
        (IN_THE_WORLD | {"TIME_SPEED": 60.0}, set()),
        (TWILIO | {"TIME_SPEED": 60.0}, {"carillon.E013"}),
        (TWILIO | {"TIME_SPEED": 60.0, "TWILIO_API_URL": "http://127.0.0.1:9000"}, set()),
        (IN_THE_WORLD | SENDGRID | {"EMAIL_FALLBACK_PROVIDER": "sandbox"}, {"carillon.E015"}),
        (SENDGRID | {"TIME_SPEED": 60.0, "SENDGRID_API_URL": "http://127.0.0.1:9000"}, set()),
        (SENDGRID | {"SECRET_KEY": "a-key-of-its-own"}, {"carillon.W014"}),
        (IN_THE_WORLD | SENDGRID | {"POSTAL_ADDRESS": " "}, {"carillon.I040"}),
        ({"BRAND_COLOR": "red", "BRAND_LOGO_URL": "http://bells.example/logo.png"}, {"carillon.E041", "carillon.E042"}),
        ({"BRAND_COLOR": "#1d4ed8", "BRAND_LOGO_URL": "https://bells.example/logo.png"}, set()),
        (
            {"TOPICS": {"email": "Mail", "news": "News"}, "UNSUBSCRIBE_MAILTO": "nobody"},
            {"carillon.E043", "carillon.E044"},
        ),
        ({"TOPICS": {"news": "News"}, "UNSUBSCRIBE_MAILTO": "stop@bells.example"}, set()),
        ({"DEFAULT_TIMEZONE": "Europe/Atlantis"}, {"carillon.E020"}),
        ({"IN_DOUBT_DEADLINE": "1 day", "EVENT_TRIGGER_MAX_AGE": "P1Y"}, {"carillon.E021"}),
        ({"MARKETING_CONSENT": "yes"}, {"carillon.E022"}),
        ({"DEFAULT_TRACKING_CONSENT": "opt_in"}, {"carillon.E022"}),
    ],
)
def test_what_contradicts_itself_is_found(settings, changed, ids):
    assert set(found(settings, changed)) == ids


def test_a_finding_names_the_setting_and_never_shows_a_secret(settings):
    messages = found(settings, {"PUBLIC_URL": "nowhere", "EMAIL_PROVIDER": "pigeon", "DEFAULT_TIMEZONE": "Mars"})
    named = ("PUBLIC_URL", "EMAIL_PROVIDER", "DEFAULT_TIMEZONE", "SECRET_KEY", "POSTAL_ADDRESS")
    assert len(messages) == 5
    for message in messages.values():
        assert any(name in message.msg for name in named)
        assert settings.SECRET_KEY not in message.msg
        assert message.hint


def manage(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=current.BASE_DIR,
        env={"PATH": os.environ["PATH"], "CARILLON_STATE_DIR": "/nonexistent", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_production_settings_pass_djangos_deployment_checks():
    done = manage(
        "check", "--deploy", "--fail-level", "WARNING",
        PUBLIC_URL="https://bells.example.com",
        ALLOWED_HOSTS="bells.example.com",
        SECRET_KEY="Zx8-" * 16 + "unlike_any_other",
        DATABASE_URL="postgres://carillon:password@db.example/carillon",
        REDIS_URL="rediss://redis.example/1",
        EMAIL_PROVIDER="sendgrid",
        SENDGRID_API_KEY="key",
        SENDGRID_WEBHOOK_PUBLIC_KEY="key",
        POSTAL_ADDRESS="Bells Ltd, 1 High Street",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no issues" in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("changed", "id"),
    [
        ({"ALERT_EMAIL": ["ops@example.com", "nobody"]}, "carillon.E050"),
        ({"ALERT_WEBHOOK_URL": "http://10.0.0.7/hooks"}, "carillon.E051"),
        ({"ALERT_WEBHOOK_URL": "chat.example.com"}, "carillon.E051"),
    ],
)
def test_alerts_that_could_not_be_told_are_found(settings, changed, id):
    settings.WEBHOOK_ALLOWED_HOSTS = []
    assert id not in found(
        settings, {"ALERT_EMAIL": ["ops@example.com"], "ALERT_WEBHOOK_URL": "https://a.example.com/"}
    )
    told = found(settings, changed)[id]
    assert isinstance(told, Error)
    assert "nobody" not in told.msg  # how many, not which: addresses stay out of logs


def test_a_host_of_ones_own_network_may_hear_of_alerts_where_it_is_allowed(settings):
    changed = {"ALERT_WEBHOOK_URL": "http://10.0.0.7/hooks", "WEBHOOK_ALLOWED_HOSTS": ["10.0.0.0/8"]}
    assert "carillon.E051" not in found(settings, changed)


@pytest.mark.parametrize("missing", ["opentelemetry", "opentelemetry.sdk"])
def test_traces_without_the_packages_that_make_them_are_found(settings, monkeypatch, missing):
    is_there = {"opentelemetry": True, "opentelemetry.sdk": True}
    monkeypatch.setattr(checks, "find_spec", is_there.get)
    wanted = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}
    assert "carillon.W052" not in found(settings, wanted)
    is_there[missing] = False
    assert isinstance(found(settings, wanted)["carillon.W052"], Warning)
    assert "carillon.W052" not in found(settings, {"OTEL_EXPORTER_OTLP_ENDPOINT": ""})


def test_the_development_key_is_refused_in_production():
    done = manage("check", PUBLIC_URL="https://bells.example.com", ALLOWED_HOSTS="bells.example.com")
    assert done.returncode == 1
    assert "carillon.E003" in done.stderr


def test_a_command_says_when_nothing_runs_in_the_folder():
    done = manage("showmigrations", DATABASE_URL="postgres://carillon@127.0.0.1:1/carillon")
    assert done.returncode == 1
    assert done.stderr.startswith("PostgreSQL cannot be reached: ")
    assert "Traceback" not in done.stderr


def test_a_command_says_which_setting_cannot_be_read():
    done = manage("check", TIME_SPEED="fast")
    assert done.returncode == 1
    assert done.stderr == "TIME_SPEED: expected a number, got 'fast'\n"
