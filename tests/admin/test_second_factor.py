"""Two-factor login, and how often somebody may try: nobody gets in with a password alone where more is asked for."""

from __future__ import annotations

import re

import pytest
import redis
import time_machine
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.urls import reverse
from django_otp.oath import totp
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from contacts import login_attempts, redis_index, second_factor, staff_sessions
from contacts.models import AuditEntry

pytestmark = pytest.mark.django_db

HOME, LOG_IN = "/admin/auth/user/", "/admin/login/"
CODE, SET_UP = "/admin/second-factor/code/", "/admin/second-factor/set-up/"
PASSWORD = "correct horse"


@pytest.fixture
def ada() -> User:
    return User.objects.create_superuser("ada", password=PASSWORD)


@pytest.fixture
def clock():
    with time_machine.travel(1_800_000_000, tick=False) as traveller:
        yield traveller


def log_in(name: str = "ada", password: str = PASSWORD, *, client: Client | None = None, **extra):
    client = client or Client(**extra)
    return client, client.post(LOG_IN, {"username": name, "password": password, "next": HOME})


def code_of(user: User, *, confirmed: bool = True) -> str:
    device = TOTPDevice.objects.get(user=user, confirmed=confirmed)
    return f"{totp(device.bin_key):06}"


def enrolled(user: User) -> list[str]:
    second_factor.begin(user)
    _, codes = second_factor.confirm(user, code_of(user, confirmed=False))
    return codes


# -- required ----------------------------------------------------------------------------------------------------------


def test_the_first_login_leads_to_the_set_up_and_lets_nobody_pass_before(settings, ada, clock):
    settings.REQUIRE_STAFF_2FA = True
    client, _ = log_in()
    answer = client.get(HOME)
    assert answer.status_code == 302 and answer["Location"].startswith(CODE)
    answer = client.get(answer["Location"], follow=True)
    assert answer.redirect_chain[-1][0].startswith(SET_UP) and "data:image/svg+xml" in answer.content.decode()
    assert client.post(SET_UP, {"code": "000000", "next": HOME}).context["error"]
    assert client.get(HOME).status_code == 302
    clock.shift(2)  # after a wrong one django-otp takes none for a second
    shown = client.post(SET_UP, {"code": code_of(ada, confirmed=False), "next": HOME})
    assert len(shown.context["codes"]) == 10 and "no-store" in shown["Cache-Control"]
    assert client.get(HOME).status_code == 200


def test_every_page_of_the_admin_is_closed_to_a_password_alone(settings, ada):
    settings.REQUIRE_STAFF_2FA = True
    client, _ = log_in()
    pages = [reverse("admin:index"), reverse("settings-page"), reverse("second-factor-reset", args=[ada.pk])]
    pages += [
        reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        for model, page in admin.site._registry.items()
        if any(
            getattr(each, "name", "").endswith("changelist") for each in page.get_urls() if getattr(each, "name", "")
        )
    ]
    assert len(pages) > 30
    for page in pages:
        assert client.get(page)["Location"].startswith(CODE), page
        assert client.post(page, {}).status_code == 403, page


def test_later_logins_ask_for_the_code_and_no_code_opens_twice(settings, ada, clock):
    settings.REQUIRE_STAFF_2FA = True
    enrolled(ada)
    clock.shift(60)
    code = code_of(ada)
    client, _ = log_in()
    assert client.get(HOME)["Location"].startswith(CODE)
    answer = client.post(CODE, {"code": code, "next": HOME})
    assert (answer.status_code, answer["Location"]) == (302, HOME)
    assert client.get(HOME).status_code == 200
    other, _ = log_in()
    assert "not right" in other.post(CODE, {"code": code}).content.decode()
    assert other.get(HOME).status_code == 302


def test_a_recovery_code_opens_once(settings, ada, clock):
    settings.REQUIRE_STAFF_2FA = True
    codes = enrolled(ada)
    client, _ = log_in()
    client.post(CODE, {"code": codes[3].lower(), "next": HOME})
    assert client.get(HOME).status_code == 200
    other, _ = log_in()
    other.post(CODE, {"code": codes[3]})
    assert other.get(HOME).status_code == 302
    assert AuditEntry.objects.get(what="user.recovery_code_used").after == {"recovery_codes_left": 9}


def test_a_copy_of_the_database_has_no_usable_recovery_code(ada, clock):
    codes = enrolled(ada)
    with connection.cursor() as cursor:
        cursor.execute("SELECT t::text FROM otp_static_statictoken t")
        dump = "\n".join(text for (text,) in cursor.fetchall())
    assert dump.count("\n") == 9
    assert not any(code.replace("-", "")[:8] in dump.upper() for code in codes)
    for kept in re.findall(r"[0-9a-f]{16}", dump):
        assert second_factor.check(ada, kept) is None


def test_a_password_alone_does_not_exchange_the_app(settings, ada, clock):
    enrolled(ada)
    client, _ = log_in()
    assert client.get(SET_UP).status_code == 403
    assert client.post(SET_UP, {"code": "1"}).status_code == 403


def test_one_is_never_sent_elsewhere_after_the_code(settings, ada, clock):
    enrolled(ada)
    clock.shift(60)
    client, _ = log_in()
    answer = client.post(CODE, {"code": code_of(ada), "next": "https://evil.example/"})
    assert answer["Location"] == reverse("admin:index")


# -- as one likes ------------------------------------------------------------------------------------------------------


def test_where_it_is_not_required_a_password_is_enough_until_one_sets_it_up(ada, clock):
    client, answer = log_in()
    assert answer["Location"] == HOME and client.get(HOME).status_code == 200
    client.get(SET_UP)
    client.post(SET_UP, {"code": code_of(ada, confirmed=False)})
    assert "Two-factor login is on" in client.get(reverse("second-factor")).content.decode()
    other, _ = log_in()
    assert other.get(HOME)["Location"].startswith(CODE)
    client.post(reverse("second-factor"), {"remove": "1"})
    other, _ = log_in()
    assert other.get(HOME).status_code == 200


def test_who_sets_it_up_closes_their_other_sessions_to_whoever_has_no_code(ada, clock):
    here, _ = log_in()
    elsewhere, _ = log_in()
    of_noa, _ = log_in(User.objects.create_superuser("noa", password=PASSWORD).username)
    assert elsewhere.get(HOME).status_code == 200
    here.get(SET_UP)
    codes = here.post(SET_UP, {"code": code_of(ada, confirmed=False)}).context["codes"]
    assert here.get(HOME).status_code == 200 and of_noa.get(HOME).status_code == 200
    assert elsewhere.get(HOME)["Location"].startswith(CODE)
    assert elsewhere.post(HOME, {}).status_code == 403
    assert elsewhere.get(SET_UP).status_code == 403  # nor can the app be exchanged from there
    elsewhere.post(CODE, {"code": codes[0]})
    assert elsewhere.get(HOME).status_code == 200


def test_another_app_closes_the_sessions_that_the_former_one_opened(ada, clock):
    codes = enrolled(ada)
    here, elsewhere = log_in()[0], log_in()[0]
    for client, code in ((here, codes[0]), (elsewhere, codes[1])):
        client.post(CODE, {"code": code})
        assert client.get(HOME).status_code == 200
    here.get(SET_UP)
    here.post(SET_UP, {"code": code_of(ada, confirmed=False)})
    assert here.get(HOME).status_code == 200
    assert elsewhere.get(HOME)["Location"].startswith(CODE)


def test_it_cannot_be_turned_off_where_it_is_required(settings, ada, clock):
    settings.REQUIRE_STAFF_2FA = True
    codes = enrolled(ada)
    client, _ = log_in()
    client.post(CODE, {"code": codes[0]})
    client.post(reverse("second-factor"), {"remove": "1"})
    assert second_factor.has_device(ada.pk)
    renewed = client.post(reverse("second-factor"), {"renew": "1"}).context["codes"]
    assert len(renewed) == 10 and not set(renewed) & set(codes)
    assert second_factor.check(ada, codes[1]) is None


def test_an_administrator_resets_somebodys_and_their_session_ends(settings, ada, clock):
    settings.REQUIRE_STAFF_2FA = True
    noa = User.objects.create_superuser("noa", password=PASSWORD)
    codes, of_noa = enrolled(ada), enrolled(noa)
    client, _ = log_in()
    client.post(CODE, {"code": codes[0]})
    theirs, _ = log_in("noa")
    theirs.post(CODE, {"code": of_noa[0]})
    assert theirs.get(HOME).status_code == 200
    reset = reverse("second-factor-reset", args=[noa.pk])
    assert reset in client.get(reverse("admin:auth_user_change", args=[noa.pk])).content.decode()
    assert client.get(reset).status_code == 200 and second_factor.has_device(noa.pk)
    client.post(reset)
    assert not second_factor.has_device(noa.pk) and not StaticDevice.objects.filter(user=noa).exists()
    assert theirs.get(HOME).status_code == 302
    entry = AuditEntry.objects.get(what="user.second_factor_reset")
    assert (entry.actor, entry.object_id) == ("ada", str(noa.pk))


def test_who_may_not_change_users_resets_nobodys(staff, ada, clock):
    enrolled(ada)
    reset = reverse("second-factor-reset", args=[ada.pk])
    for client in (staff("auth.view_user"), staff("auth.change_user")):  # nor a superuser's, who is none
        assert client.post(reset).status_code == 403
    assert second_factor.has_device(ada.pk)


def test_nobody_sees_the_secrets_of_devices_in_the_admin():
    assert not admin.site.is_registered(TOTPDevice) and not admin.site.is_registered(StaticDevice)


# -- how often ---------------------------------------------------------------------------------------------------------


def test_after_five_wrong_passwords_even_the_right_one_waits_and_says_how_long(ada):
    for _ in range(5):
        log_in(password="wrong")
    client, answer = log_in()
    assert "Try again in 15 minutes" in answer.content.decode()
    assert client.get(HOME).status_code == 302
    _, elsewhere = log_in(REMOTE_ADDR="203.0.113.9")
    assert elsewhere.status_code == 302  # the owner, at home
    entry = AuditEntry.objects.get(what="login.blocked")
    assert (entry.object_id, entry.after) == (str(ada.pk), {"wrong": "password"})


def test_an_account_that_does_not_exist_answers_alike(ada):
    def said(name: str) -> list[str]:
        pages = [log_in(name, "wrong", REMOTE_ADDR=f"203.0.113.{len(name)}")[1].content.decode() for _ in range(6)]
        return [re.sub(r'value="[^"]*"', "", page) for page in pages]

    assert said("ada") == said("nobody")
    assert AuditEntry.objects.filter(what="login.blocked").latest("id").object_name == ""


def test_one_address_that_tries_many_accounts_waits_too(monkeypatch, ada):
    monkeypatch.setattr(login_attempts, "OF_ADDRESS", 7)
    for number in range(7):
        log_in(f"user{number}", "wrong")
    assert "wrong too often" in log_in()[1].content.decode()


def test_many_addresses_that_try_one_account_wait_too(monkeypatch, ada):
    monkeypatch.setattr(login_attempts, "OF_ACCOUNT", 7)
    for number in range(7):
        log_in("ADA", "wrong", REMOTE_ADDR=f"203.0.113.{number}")
    assert "wrong too often" in log_in(REMOTE_ADDR="198.51.100.1")[1].content.decode()


def test_behind_a_proxy_its_word_counts_and_else_nobodys(settings, ada):
    def wrong(forwarded: str) -> None:
        for _ in range(5):
            log_in(password="wrong", HTTP_X_FORWARDED_FOR=forwarded)

    settings.BEHIND_PROXY = True
    wrong("203.0.113.1")
    assert log_in(HTTP_X_FORWARDED_FOR="203.0.113.2")[1].status_code == 302
    assert log_in(HTTP_X_FORWARDED_FOR="203.0.113.1")[1].status_code == 200
    settings.BEHIND_PROXY = False
    wrong("203.0.113.3")
    assert log_in(HTTP_X_FORWARDED_FOR="203.0.113.4")[1].status_code == 200


def test_who_gets_in_begins_anew(ada):
    for _ in range(2):
        for _ in range(4):
            log_in(password="wrong")
        assert log_in()[1].status_code == 302


def test_without_redis_people_may_log_in(ada, monkeypatch):
    def gone():
        raise redis.ConnectionError

    with monkeypatch.context() as patched:
        patched.setattr(redis_index, "connection", gone)
        assert log_in()[1].status_code == 302
        assert log_in(password="wrong")[1].status_code == 200


def test_codes_can_not_be_guessed(ada, clock):
    enrolled(ada)
    clock.shift(60)
    client, _ = log_in()
    for number in range(6):
        answer = client.post(CODE, {"code": f"{number:06}"})
    assert "wrong too often" in answer.content.decode()
    assert client.post(CODE, {"code": code_of(ada)}).status_code == 200
    assert AuditEntry.objects.get(what="login.blocked").after == {"wrong": "code"}


def test_what_stands_in_redis_tells_no_name_and_no_address(ada):
    log_in(password="wrong", REMOTE_ADDR="203.0.113.77")
    names = list(redis_index.connection().scan_iter(match=redis_index.key("login:*")))
    assert len(names) == 3
    assert not any("ada" in name.partition("login:")[2] or "203.0" in name for name in names)


# -- how long ----------------------------------------------------------------------------------------------------------


def test_a_session_that_nobody_uses_ends_and_so_does_one_that_is_old(settings, ada):
    with time_machine.travel(1_800_000_000, tick=False) as traveller:
        client, _ = log_in()
        traveller.shift(settings.SESSION_IDLE_MINUTES * 60 - 1)
        assert client.get(HOME).status_code == 200
        traveller.shift(settings.SESSION_IDLE_MINUTES * 60 + 1)
        assert client.get(HOME).status_code == 302
        settings.SESSION_HOURS = 1
        client, _ = log_in()
        seen = []
        for _ in range(4):
            traveller.shift(1200)
            seen.append(client.get(HOME).status_code)
        assert seen == [200, 200, 200, 302]


def test_a_busy_session_is_written_seldom(ada):
    with time_machine.travel(1_800_000_000, tick=False) as traveller:
        client, _ = log_in()
        traveller.shift(staff_sessions.TOUCH_SECONDS - 1)
        client.get(HOME)
        assert client.session[staff_sessions.SEEN] == 1_800_000_000
        traveller.shift(1)
        client.get(HOME)
        assert client.session[staff_sessions.SEEN] == 1_800_000_000 + staff_sessions.TOUCH_SECONDS
