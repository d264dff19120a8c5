"""The pages of whoever runs the post office: domains, messages and their doubts, providers, lists of suppressions."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.urls import reverse

from contacts import access, clock
from delivery import addresses, recounting, suppression, wording
from delivery.models import Message, OutboxEntry, Provider, SendingDomain, SendLogEntry, Suppression
from delivery.pages import suppressions as suppressions_page
from delivery.preflight import checking
from delivery.rates import ramps
from tests.delivery import making
from tests.delivery.test_preflight import Zone

MESSAGES = reverse("admin:delivery_message_changelist")
DOMAIN = "news.shop.example"


@pytest.fixture
def domain(db) -> SendingDomain:
    return SendingDomain.objects.create(domain=DOMAIN, created_at=clock.now())


def page_of(domain: str = DOMAIN) -> str:
    return reverse("admin:delivery_sendingdomain_change", args=[domain])


def deed(name: str, domain: str = DOMAIN) -> str:
    return reverse("admin:delivery_sendingdomain_deed", args=[domain, name])


# -- sending domains ---------------------------------------------------------------------------------------------------


def test_a_warm_up_is_started_held_let_go_on_and_ended(maya, domain):
    maya.post(deed("start"), {"ramp": "careful"})
    domain.refresh_from_db()
    assert domain.warm_up_steps == list(ramps.RAMPS["careful"])
    page = maya.get(page_of())
    assert "Day 1 of 28" in page.content.decode()
    assert [step.state for step in page.context["ramp"][:2]] == ["today", "ahead"]
    maya.post(deed("hold"))
    assert "maya holds it at this step" in maya.get(page_of()).content.decode()
    maya.post(deed("go_on"))
    domain.refresh_from_db()
    assert domain.warm_up_held_by == ""
    maya.post(deed("stop"))
    domain.refresh_from_db()
    assert domain.warm_up_steps == []
    assert "No limit" in maya.get(page_of()).content.decode()


def test_a_schedule_of_ones_own_is_taken_or_refused_with_the_reason(maya, domain):
    maya.post(deed("start"), {"ramp": "own", "steps": "10, 20\n40"})
    domain.refresh_from_db()
    assert domain.warm_up_steps == [10, 20, 40]
    for steps, why in (
        ("", "takes 1 to"), ("40, 20", "may be less"), ("many", "whole number"), ("0", "whole number"),
        ("9" * 400, "whole number"), ("1," * 200, "takes 1 to"), ("¹", "whole number"),
    ):  # fmt: skip
        answer = maya.post(deed("start"), {"ramp": "own", "steps": steps}, follow=True)
        assert why in answer.content.decode(), steps
    assert "Not started" in maya.post(deed("start"), {"ramp": "unheard"}, follow=True).content.decode()
    domain.refresh_from_db()
    assert domain.warm_up_steps == [10, 20, 40]


def test_a_check_is_asked_for_and_made_while_nobody_waits_for_a_page(maya, domain):
    checking.check(DOMAIN, Zone(MX=["10 mx.shop.example"]))
    assert "The domain takes mail" in maya.get(page_of()).content.decode()
    checked = reverse("admin:delivery_sendingdomain_checked", args=[DOMAIN])
    assert maya.get(checked).json() == {"checked": True}
    maya.post(deed("check"))
    assert maya.get(checked).json() == {"checked": False}
    assert f'data-checked="{checked}"' in maya.get(page_of()).content.decode()
    making.run(lambda: checking.check_batch(Zone()))
    assert maya.get(checked).json() == {"checked": True}


def test_what_the_dns_said_is_shown_and_never_run(maya, domain):
    checking.check(DOMAIN, Zone(TXT=["v=spf1 <script>window.broken=1</script> -all"]))
    page = maya.get(page_of()).content.decode()
    assert "<script>window.broken" not in page
    assert "&lt;script&gt;window.broken" in page


@pytest.mark.parametrize("name", ["check", "start", "hold", "go_on", "stop", "release"])
def test_who_may_only_look_at_domains_changes_nothing(staff, domain, name):
    viewer = staff("delivery.view_sendingdomain")
    page = viewer.get(page_of())
    assert page.status_code == 200
    assert "/deed/" not in page.content.decode()
    assert viewer.post(deed(name), {"ramp": "quick"}).status_code == 403
    assert viewer.get(deed(name)).status_code == 403
    before = (domain.warm_up_steps, domain.warm_up_held_by, domain.braked_at, domain.checked_at)
    domain.refresh_from_db()
    assert (domain.warm_up_steps, domain.warm_up_held_by, domain.braked_at, domain.checked_at) == before


def test_a_deed_or_a_domain_that_there_is_not_is_not_found(maya, staff, domain):
    assert maya.post(deed("explode")).status_code == 404
    assert maya.post(deed("check", "nobody.example")).status_code == 404
    assert maya.get(reverse("admin:delivery_sendingdomain_checked", args=["nobody.example"])).status_code == 404
    stranger = staff()
    assert stranger.get(reverse("admin:delivery_sendingdomain_checked", args=[DOMAIN])).status_code == 404
    assert stranger.get(page_of()).status_code == 403


def test_the_list_of_domains_costs_the_same_however_many_there_are(maya, domain, django_assert_max_num_queries):
    for n in range(30):
        SendingDomain.objects.create(domain=f"d{n}.example", created_at=clock.now(), warm_up_steps=[10, 20])
    with django_assert_max_num_queries(12):
        assert maya.get(reverse("admin:delivery_sendingdomain_changelist")).status_code == 200


def bearer(scope: str) -> dict[str, dict[str, str]]:
    with transaction.atomic():
        key = access.create_key(name="test", kind="secret", scopes=[scope], now=clock.now())
    return {"headers": {"Authorization": f"Bearer {key}"}}


def test_the_api_tells_of_every_domain(client, domain, django_assert_max_num_queries):
    checking.check(DOMAIN, Zone(MX=["10 mx.shop.example"]))
    SendingDomain.objects.filter(pk=DOMAIN).update(
        warm_up_steps=[10, 20], braked_at=clock.now(), braked_why={"reason": "complaints", "rate": 0.01}
    )
    key = bearer("delivery:read")
    for path in ("/api/v1/sending-domains/", "/api/v1/sending-domains"):
        answer = client.get(path, **key)
        assert answer.status_code == 200
    (told,) = answer.json()["results"]
    assert (told["domain"], told["verdict"], told["warm_up"]["allowed"]) == (DOMAIN, "bad", 10)
    assert told["brake"]["reason"] == "complaints"
    assert {check["name"]: check["verdict"] for check in told["checks"]}["mx"] == "good"
    other = bearer("events:write")
    assert client.get(path, **other).status_code == 403
    assert client.get(path).status_code == 401


# -- messages ----------------------------------------------------------------------------------------------------------


def listed(maya, **asked: str) -> set[int]:
    return {row.pk for row in maya.get(MESSAGES, asked).context["cl"].result_list}


def of_the_log(**asked: str) -> set[int]:
    return set(SendLogEntry.objects.filter(**asked).values_list("message_id", flat=True))


def test_messages_are_found_by_what_became_of_them_and_why(maya, town):
    recounting.mend()
    assert listed(maya, state="capped") == of_the_log(kind="capped")
    assert listed(maya, reason="suppressed:unsubscribe") == of_the_log(kind="suppressed")
    assert listed(maya, reason="suppressed:unsubscribe", state="capped") == set()
    assert listed(maya, state="in_doubt") == set(
        OutboxEntry.objects.filter(state="in_doubt").values_list("pk", flat=True)
    )
    assert listed(maya, provider="sandbox") == of_the_log(kind="claimed")
    assert listed(maya, provider="sendgrid") == set()
    assert listed(maya, template="thank-you") == set(Message.objects.values_list("pk", flat=True))
    assert listed(maya, workflow=str(town.journey.pk)) == set(
        Message.objects.filter(workflow_id=town.journey.pk).values_list("pk", flat=True)
    )
    assert listed(maya, channel="sms") == set()
    choices = maya.get(MESSAGES).context["cl"].filter_specs
    assert ("capped:frequency_cap", "Not sent: the frequency cap was reached") in next(
        spec.lookup_choices for spec in choices if spec.parameter_name == "reason"
    )


def test_messages_are_found_by_the_day_of_their_outcome(maya, town):
    entry = SendLogEntry.objects.filter(kind="capped").latest("at")
    day = entry.at.date().isoformat()
    assert entry.message_id in listed(maya, day=day)
    assert entry.message_id in listed(maya, day=day, state="capped")
    assert entry.message_id not in listed(maya, day=(entry.at - timedelta(days=1)).date().isoformat(), state="capped")
    assert listed(maya, day="0001-01-01") == set()


@pytest.mark.parametrize(
    "asked",
    [
        "state=%00", "state=nothing", "reason=%00:%00", "reason=:::", "day=9999-12-31", "day=0000-00-00", "day=%00",
        "provider=%00", "template=%00", "workflow=-1", "workflow=99999999999999999999", "workflow=¹", "channel=%00",
        "class=%00", "state=rejected&reason=rejected:x&provider=y&day=today",
    ],
)  # fmt: skip
def test_a_hostile_question_is_answered_with_a_page(maya, town, asked):
    assert maya.get(f"{MESSAGES}?{asked}").status_code in {200, 302}


def test_refused_messages_are_sent_anew_and_the_others_are_told_why_not(maya, staff, town):
    rejected = of_the_log(kind="rejected")
    assert listed(maya, state="rejected") == rejected
    chosen = [*rejected, town.accepted.pk, town.capped.pk]
    viewer = staff("delivery.view_message")
    viewer.post(MESSAGES, {"action": "replay_selected", "_selected_action": chosen})
    assert listed(maya, state="rejected") == rejected
    said = maya.post(MESSAGES, {"action": "replay_selected", "_selected_action": chosen}, follow=True).content.decode()
    assert f"Queued again: {len(rejected)}" in said
    assert "Left as they are: 1 (was sent)" in said or "something was reported" in said
    assert "Left as they are: 1 (was kept back by the frequency cap)" in said
    assert listed(maya, state="rejected") == set()
    assert set(OutboxEntry.objects.filter(state="queued").values_list("pk", flat=True)) >= rejected


def test_one_refused_message_is_sent_anew_from_its_page(maya, staff, town):
    pk = min(of_the_log(kind="rejected"))
    page, replay = (reverse(f"admin:delivery_message_{name}", args=[pk]) for name in ("change", "replay"))
    viewer = staff("delivery.view_message")
    assert "Send it anew" not in viewer.get(page).content.decode()
    assert viewer.post(replay).status_code == 403
    assert "Send it anew" in maya.get(page).content.decode()
    maya.post(replay)
    assert OutboxEntry.objects.get(pk=pk).state == "queued"
    assert "Sent anew by a person" in maya.get(page).content.decode()


def test_a_messages_page_shows_the_mail_and_why_an_open_was_no_persons(maya, town):
    seen = {"machine": {"sign": "scanner", "evidence": "Barracuda <b>x</b>"}}
    making.change(
        "UPDATE message_feedback SET is_machine = true, detail = %s WHERE message_id = %s AND kind = 'opened'",
        [json.dumps(seen), town.accepted.pk],
    )
    page = maya.get(reverse("admin:delivery_message_change", args=[town.accepted.pk])).content.decode()
    assert "As it was sent" in page
    assert "sandbox title=" in page
    assert f"a machine: {wording.SIGNS['scanner']}" in page
    assert "Barracuda &lt;b&gt;x&lt;/b&gt;" in page


def test_doubts_are_listed_with_what_resolves_them(maya, staff, town, settings, django_assert_max_num_queries):
    url = reverse("admin:delivery_message_in_doubt")
    with django_assert_max_num_queries(11):
        page = maya.get(url)
    doubts = page.context["doubts"]
    assert {doubt.message_id for doubt in doubts} == listed(maya, state="in_doubt")
    assert all(doubt.ends_at - doubt.since >= timedelta(hours=23) for doubt in doubts if doubt.since)
    assert page.context["ways"][-1].title == "The deadline"
    assert staff("delivery.view_provider").get(url).status_code == 403
    OutboxEntry.objects.all().delete()
    assert "Nothing is in doubt" in maya.get(url).content.decode()


def test_a_page_of_messages_costs_the_same_however_they_are_asked_for(maya, town, django_assert_max_num_queries):
    for asked in ({}, {"state": "rejected"}, {"reason": "capped:frequency_cap", "day": "30", "provider": "sandbox"}):
        with django_assert_max_num_queries(20):
            maya.get(MESSAGES, asked)


# -- providers ---------------------------------------------------------------------------------------------------------


def test_a_provider_in_use_that_never_had_trouble_is_listed(maya, town, settings):
    Provider.objects.all().delete()
    settings.EMAIL_PROVIDER, settings.EMAIL_FALLBACK_PROVIDER = "sandbox", "sendgrid"
    page = maya.get(reverse("admin:delivery_provider_changelist")).content.decode()
    assert "Takes email" in page and "email, where Sandbox cannot" in page and "Running" in page


def test_a_provider_that_rests_says_who_takes_over_and_is_resumed(maya, town, settings):
    settings.EMAIL_PROVIDER, settings.EMAIL_FALLBACK_PROVIDER = "sendgrid", "sandbox"
    Provider.objects.filter(pk="sendgrid").update(
        stopped_at=None, failures=4, resting_until=clock.now() + timedelta(minutes=5)
    )
    url = reverse("admin:delivery_provider_change", args=["sendgrid"])
    page = maya.get(url).content.decode()
    assert "Resting" in page
    assert "It could not be reached, 4 times in a row" in page
    assert "Sandbox takes over what it did not start" in page
    maya.post(reverse("admin:delivery_provider_resume", args=["sendgrid"]))
    assert "Running" in maya.get(url).content.decode()
    Provider.objects.create(name="long-gone")
    assert "Not in use" in maya.get(reverse("admin:delivery_provider_change", args=["long-gone"])).content.decode()


# -- lists of suppressions ---------------------------------------------------------------------------------------------

IMPORT = reverse("admin:delivery_suppression_import")


def bring(maya, text: str | bytes):
    body = text if isinstance(text, bytes) else text.encode()
    return maya.post(IMPORT, {"list": SimpleUploadedFile("list.csv", body)})


def standing(address: str) -> set[tuple[str, str]]:
    found = Suppression.objects.filter(address__key_hash=addresses.key("email", address), released_at=None)
    return set(found.values_list("scope", "reason"))


@pytest.mark.django_db(transaction=True)
def test_a_list_of_another_system_is_taken_in(maya, town):
    answer = bring(
        maya,
        "\ufeffEmail;Reason\nA1@example.com;Bounced\na2@example.com;\na3@example.com;spam report\n\n"
        "nobody;unsubscribe\na4@example.com;because\na1@EXAMPLE.com;bounce\n",
    )
    taken = answer.context["taken"]
    assert (taken.rows, taken.added, taken.refused, taken.standing) == (6, 3, 2, 1)
    assert [line for line, _ in taken.faults] == [6, 7]
    assert standing("a1@example.com") == {("all", "hard_bounce")}
    assert standing("a2@example.com") == {("email", "manual")}
    assert standing("a3@example.com") == {("all", "complaint")}
    assert bring(maya, "email\na2@example.com\n").context["taken"].standing == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "text",
    [b"", b"\xff\xfe\x00", b"\x00\x00", b"name\nada\n", b'address\n"never closed\n' + b"x" * 200_000, b"," * 20_000,
     b"address\n" + b'"' * 5],
)  # fmt: skip
def test_what_is_no_list_is_refused_with_a_reason(maya, town, text):
    before = Suppression.objects.count()
    answer = bring(maya, text)
    assert answer.status_code in {200, 422}
    assert answer.status_code == 422 or answer.context["taken"].added == 0
    assert Suppression.objects.count() == before


@pytest.mark.django_db(transaction=True)
def test_a_list_that_is_too_long_is_taken_as_far_as_it_may(maya, town, monkeypatch):
    monkeypatch.setattr(suppressions_page, "MOST_ROWS", 3)
    taken = bring(maya, "address\n" + "".join(f"l{n}@example.com\n" for n in range(10))).context["taken"]
    assert taken.added == 3
    assert "longer than 3 rows" in taken.faults[0][1]
    monkeypatch.setattr(suppressions_page, "MOST_BYTES", 10)
    assert bring(maya, "address\nlarge@example.com\n").status_code == 422


@pytest.mark.django_db(transaction=True)
def test_what_stands_is_exported_and_no_cell_of_it_is_a_formula(maya, staff, town):
    for address, scope in (("=cmd|calc@example.com", "email"), ("plain@example.com", "=1+1")):
        suppression.suppress(
            channel="email", address=address, scope=scope, reason="manual", source="api", now=clock.now()
        )
    url = reverse("admin:delivery_suppression_export")
    rows = list(csv.DictReader(io.StringIO(maya.get(url).getvalue().decode())))
    assert len(rows) == Suppression.objects.filter(released_at=None).exclude(address__shown="").count()
    cells = {row["address"]: row["scope"] for row in rows}
    assert cells["'=cmd|calc@example.com"] == "email"
    assert cells["plain@example.com"] == "'=1+1"
    assert not [cell for row in rows for cell in row.values() if cell[:1] in "=+-@"]
    assert staff("delivery.view_suppression").get(url).status_code == 403
    assert staff("delivery.view_suppression").get(IMPORT).status_code == 403


@pytest.mark.django_db(transaction=True)
def test_an_export_can_be_brought_in_again_as_it_was(admin_client):
    bring(
        admin_client,
        "address,reason,scope\na@example.com,complaint,\nb@example.com,unsubscribe,news\nc@example.com,,all\n",
    )
    text = admin_client.get(reverse("admin:delivery_suppression_export")).getvalue()
    before = set(Suppression.objects.values_list("address", "scope", "reason"))
    taken = bring(admin_client, text).context["taken"]
    assert (taken.rows, taken.added) == (3, 0)
    assert set(Suppression.objects.values_list("address", "scope", "reason")) == before
    assert {scope for _, scope, _ in before} == {"all", "news"}


@pytest.mark.django_db(transaction=True)
def test_an_address_is_released_with_a_reason(maya, town):
    bring(maya, "address\nback@example.com\n")
    row = Suppression.objects.get(address__shown="back@example.com")
    maya.post(reverse("admin:delivery_suppression_release", args=[row.pk]), {"why": " she\x00 asked\nfor it "})
    row.refresh_from_db()
    assert (row.released_by, row.released_why) == ("maya", "she asked for it")
    page = maya.get(reverse("admin:delivery_suppression_change", args=[row.pk])).content.decode()
    assert "she asked for it" in page


def test_a_suppression_says_in_words_where_it_came_from(maya, town):
    Suppression.objects.update(source="webhook:sendgrid")
    Suppression.objects.filter(pk=town.suppression.pk).update(source="one_click")
    listed = maya.get(reverse("admin:delivery_suppression_changelist")).content.decode()
    assert "A report of SendGrid" in listed and "webhook:sendgrid" not in listed
    record = maya.get(reverse("admin:delivery_suppression_change", args=[town.suppression.pk])).content.decode()
    assert "One-click unsubscribe" in record
