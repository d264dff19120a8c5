"""The settings page: values with where they come from, secrets never, and who may look."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse

from config import roles
from config.settings_page import duration_in_words
from config.settings_shown import GROUPS

pytestmark = pytest.mark.django_db
SHOWN = [shown for group in GROUPS for shown in group.shown]


def rows(page):
    return {row.name: row for section in page.context["sections"] for row in section.rows}


@pytest.fixture
def ada(staff) -> Client:
    return staff("contacts.view_apikey")


def test_values_are_told_in_words_with_their_units(ada, settings):
    settings.DEFAULT_TIMEZONE, settings.FREQUENCY_CAP_PER_WEEK, settings.SMS_CAP_PER_DAY = "Europe/Berlin", 4, None
    settings.SEND_LEASE_SECONDS, settings.MESSAGE_RETENTION, settings.EVENT_RETENTION = 2.5, "P90D", ""
    settings.PROVIDER_RATES, settings.BRAKE_BOUNCE_PERCENT = {"sendgrid": 200.0}, 0.0
    told = {name: row.value for name, row in rows(ada.get("/admin/settings/")).items()}
    assert told["DEFAULT_TIMEZONE"] == "Europe/Berlin"
    assert told["FREQUENCY_CAP_PER_WEEK"] == "4"
    assert told["SMS_CAP_PER_DAY"] == "no limit"
    assert told["SEND_LEASE_SECONDS"] == "2.5 s"
    assert told["MESSAGE_RETENTION"] == "90 days"
    assert told["EVENT_RETENTION"] == "for ever"
    assert told["PROVIDER_RATES"] == "sendgrid: 200.0"
    assert told["BRAKE_BOUNCE_PERCENT"] == "never"
    assert told["WAREHOUSE_AT"] == "02:30 Europe/Berlin"


def test_a_value_says_whether_the_environment_a_file_or_nobody_set_it(ada, monkeypatch, tmp_path):
    monkeypatch.setenv("ESP_RATE_LIMIT", "50")
    monkeypatch.setenv("BRAND_NAME_FILE", str(tmp_path / "brand"))
    monkeypatch.delenv("POSTAL_ADDRESS", raising=False)
    told = {name: row.source for name, row in rows(ada.get("/admin/settings/")).items()}
    assert (told["ESP_RATE_LIMIT"], told["BRAND_NAME"], told["POSTAL_ADDRESS"]) == ("Environment", "File", "Default")


def test_a_secret_is_set_or_not_and_never_shown(ada, settings):
    logged_in_with = settings.SECRET_KEY
    hidden = {shown.name: f"hidden-{n}-of-ours" for n, shown in enumerate(SHOWN) if shown.is_secret}
    for name, value in hidden.items():
        setattr(settings, name, [value] if isinstance(getattr(settings, name), list) else value)
    settings.SECRET_KEY_FALLBACKS = [hidden["SECRET_KEY_FALLBACKS"], logged_in_with]
    settings.EMAIL_PROVIDER, settings.SENDGRID_API_KEY = "sendgrid", "hidden-key-of-sendgrid"
    settings.SENDGRID_WEBHOOK_PUBLIC_KEY = ""
    page = ada.get("/admin/settings/")
    assert "hidden-" not in page.content.decode()
    assert logged_in_with not in page.content.decode()
    told = rows(page)
    assert {told[name].value for name in hidden} == {"set"}
    providers = {row.name: row.value for row in page.context["secrets"]}
    assert providers["SENDGRID_API_KEY"] == "set"
    assert providers["SENDGRID_WEBHOOK_PUBLIC_KEY"] == "not set"


def test_whatever_sounds_like_a_secret_is_one():
    loud = ("KEY", "SECRET", "TOKEN", "PASSWORD", "REDIS_URL", "BROKER_URL", "WEBHOOK_URL", "DATABASE_URL")
    innocent = {"EVENT_KEY_RETENTION"}
    told = [shown.name for shown in SHOWN if any(word in shown.name for word in loud) and not shown.is_secret]
    assert set(told) - innocent == set()
    assert len({shown.name for shown in SHOWN}) == len(SHOWN)


@pytest.mark.parametrize(
    ("written", "said"),
    [("P30D", "30 days"), ("PT12H", "12 hours"), ("PT24H", "1 day"), ("PT90M", "90 minutes"), ("PT0S", ""),
     ("Postbox 3", ""), ("PX", "")],
)  # fmt: skip
def test_a_duration_is_told_as_people_say_it(written, said):
    assert duration_in_words(written) == said


def test_the_page_leads_only_where_its_reader_may_go(staff):
    keeper = staff("delivery.view_provider")
    links = {link.words for section in keeper.get("/admin/settings/").context["sections"] for link in section.links}
    assert links == {"Providers"}


def test_whoever_publishes_reads_what_holds_for_everybody_and_nothing_of_the_machine(staff, settings):
    settings.EMAIL_PROVIDER = "sendgrid"
    page = staff("workflows.publish_workflow").get("/admin/settings/")
    assert "FREQUENCY_CAP_PER_WEEK" in page.content.decode()
    assert not {shown.name for group in GROUPS if group.key == "machine" for shown in group.shown} & set(rows(page))
    assert "SECRET_KEY" not in page.content.decode() and "SENDGRID_API_KEY" not in page.content.decode()
    assert "SENDGRID_API_KEY" in staff("delivery.view_provider").get("/admin/settings/").content.decode()


def test_people_are_counted_by_their_roles(ada):
    roles.make()
    someone = User.objects.create_user("lea", is_staff=True)
    someone.groups.add(Group.objects.get(name="Marketing lead"))
    gone = User.objects.create_user("leo", is_staff=True, is_active=False)
    gone.groups.add(Group.objects.get(name="Marketing lead"))
    counted = {name: people for name, _, people in ada.get("/admin/settings/").context["roles"]}
    assert counted["Marketing lead"] == 1
    assert counted["Analyst"] == 0


@pytest.mark.parametrize("role", [role.name for role in roles.ROLES])
def test_each_role_is_led_to_the_pages_of_setting_up_that_it_may_see_and_to_no_others(role, client):
    roles.make()
    person = User.objects.create_user(role.split()[0], is_staff=True)
    person.groups.add(Group.objects.get(name=role))
    client.force_login(person)
    home = client.get(reverse("admin:index")).content.decode()
    pages = {
        reverse("admin:contacts_apikey_changelist"): role == "Admin",
        reverse("admin:delivery_webhookdelivery_changelist"): role in {"Admin", "Delivery operations"},
        reverse("settings-page"): role in {"Admin", "Delivery operations", "Marketing lead"},
    }
    for page, may in pages.items():
        assert (f'href="{page}"' in home) == may, page
        assert client.get(page).status_code == (200 if may else 403), page


def test_nobody_who_is_not_logged_in_reads_settings(client):
    assert client.get("/admin/settings/").status_code == 302
