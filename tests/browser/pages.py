"""Every page there is, in one list: for pictures (`conftest.py`), for axe, and for hostile names.

    from tests.browser.pages import PAGES, open_page

    def test_every_page_…(browser, live_server, lively):
        with visiting(browser, live_server.url, dark=True) as visitor:
            for each in PAGES:
                open_page(visitor, each, lively)
                ...

`lively` (a fixture of `conftest.py`) is an installation in which each of them has something to show, hostile names
among it; whoever logs in is Maya, who may do everything. `open_page` goes there, waits until the page is what it will
be, and does what opens a panel or a dialog. A page that is added to the house is added here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from analytics.reports.register import reports
from tests.browser import deeds
from tests.browser.installation import Lively
from tests.browser.visit import Visitor, expect

READY = "h1 >> visible=true"
DRAWN = "#builder.jb-drawn"


@dataclass(frozen=True)
class Page:
    """`name`: of its pictures. `path`: where it is in this installation. `ready`: what is seen once it may be looked
    at. `opens`: what is done on it then, with its own waiting. `public`: for everybody, outside the admin."""

    name: str
    path: Callable[[Lively], str]
    ready: str = READY
    opens: Callable[[Any], None] | None = None
    public: bool = False


def open_page(visitor: Visitor, page: Page, town: Lively) -> None:
    """Leaves the browser at the page, drawn, with its panel or dialog open. For a public one, which come last, whoever
    was logged in is not any more."""
    if page.public:
        visitor.page.context.clear_cookies()
    visitor.go(page.path(town))
    expect(visitor.page.locator(page.ready).first, page.name).to_be_visible()
    if page.opens is not None:
        page.opens(visitor.page)


def _list(name: str, model: str, query: str = "") -> Page:
    return Page(name, lambda town: reverse(f"admin:{model}_changelist") + query)


def _add(name: str, model: str) -> Page:
    return Page(name, lambda town: reverse(f"admin:{model}_add"))


def _one(name: str, model: str, which: str, query: str = "", opens: Callable[[Any], None] | None = None) -> Page:
    """The page of the thing that `Lively.ids` knows under this name."""
    return Page(name, lambda town: reverse(f"admin:{model}_change", args=[town.ids[which]]) + query, opens=opens)


def _of(name: str, route: str, *which: str, query: str = "", ready: str = READY) -> Page:
    return Page(name, lambda town: reverse(f"admin:{route}", args=[town.ids[each] for each in which]) + query, ready)


def _builder(name: str, which: str = "series", opens: Callable[[Any], None] | None = None) -> Page:
    return Page(name, lambda town: reverse("admin:workflows_workflow_change", args=[town.ids[which]]), DRAWN, opens)


def _public(
    name: str, path: Callable[[Lively], str], ready: str = READY, opens: Callable[[Any], None] | None = None
) -> Page:
    return Page(name, path, ready, opens, public=True)


START = (
    Page("start", lambda town: reverse("admin:index")),
    _list("alerts", "analytics_alert"),
    _of("alert-runbook", "analytics_alert_runbook"),
    _list("queue-health", "analytics_latency"),
    _list("freeze", "contacts_freeze"),
    Page("freeze-question", lambda town: reverse("admin:contacts_freeze_changelist"), opens=deeds.freeze),
)
JOURNEYS = (
    _list("journeys", "workflows_workflow"),
    _add("journey-gallery", "workflows_workflow"),
    Page("journey-gallery-preview", lambda town: reverse("admin:workflows_workflow_add"), opens=deeds.preview_sample),
    _builder("builder"),
    _builder("builder-broken", "broken"),
    _builder("builder-problems", "broken", deeds.problems),
    _builder("builder-menu", "series", deeds.menu),
    _builder("builder-step", "series", deeds.panel("hello")),
    _builder("builder-wait", "series", deeds.panel("morning")),
    _builder("builder-branch", "series", deeds.panel("opened")),
    _builder("builder-trigger", "series", deeds.panel(".trigger")),
    _builder("builder-settings", "series", deeds.settings),
    _builder("builder-card-menu", "series", deeds.card_menu),
    _builder("builder-remove", "series", deeds.remove),
    _builder("builder-publish", "first_order", deeds.publishing),
    _builder("builder-test-contact", "series", deeds.trying),
    _builder("builder-keys", "series", deeds.keys),
    _builder("builder-more", "series", deeds.more),
    _of("results", "analytics_counter_results", "series", ready=".jb-card >> visible=true"),
    _of("numbers", "analytics_counter_journey", "first_order"),
    _of("versions", "workflows_workflow_versions", "first_order"),
    _of("versions-compared", "workflows_workflow_compare", "first_order", query="?from=1&to=2"),
    _of("versions-map", "workflows_workflow_compared", "first_order", query="?from=1&to=2", ready=".jb-card"),
    _of("edit-plan", "workflows_workflow_plan", "first_order"),
    _of("journey-tests", "workflows_workflow_tests", "series"),
    _of("journey-text", "workflows_workflow_text", "broken"),
    _of("rehearsal", "workflows_workflow_rehearsal", "series"),
    _of("rehearsal-run", "workflows_workflow_rehearsal_run", "series", "rehearsal", ready=DRAWN),
    _of("add-people", "workflows_workflow_add_people", "first_order"),
    _of("journey-publish", "workflows_workflow_publish", "broken"),
    _of("journey-delete", "workflows_workflow_delete", "broken"),
    Page(
        "people-under-way",
        lambda town: f"{reverse('admin:workflows_enrolment_changelist')}?workflow={town.ids['first_order']}&state=here",
    ),
    _one("person-under-way", "workflows_enrolment", "enrolment"),
    _of("why", "workflows_enrolment_why", "ana"),
    _list("refusals", "workflows_entryrefusal"),
    _one("refusal", "workflows_entryrefusal", "refusal"),
    _list("failed-steps", "workflows_deadletter"),
    _one("failed-step", "workflows_deadletter", "dead_letter"),
    _list("sales-tasks", "workflows_salestask"),
    _one("sales-task", "workflows_salestask", "sales_task"),
    _list("templates", "delivery_template"),
    _add("template-new", "delivery_template"),
    Page("template-new-html", lambda town: reverse("admin:delivery_template_add") + "?begin=html"),
    _one("template", "delivery_template", "template"),
    _of("template-delete", "delivery_template_delete", "template"),
    _list("sandbox-mails", "delivery_sandboxmail"),
    _one("sandbox-mail", "delivery_sandboxmail", "sandbox_mail"),
)
AUDIENCE = (
    _list("contacts", "contacts_contact"),
    _list("contacts-none-found", "contacts_contact", "?q=nobody-is-called-so"),
    _one("contact", "contacts_contact", "ana"),
    _one("contact-journeys", "contacts_contact", "ana", "?only=journeys"),
    _one("contact-hostile", "contacts_contact", "mallory"),
    _of("contact-edit", "contacts_contact_edit", "mallory"),
    _of("contact-merge", "contacts_contact_merge", "ana"),
    _of("contact-erase", "contacts_contact_erase", "mallory"),
    _of("contact-export", "contacts_contact_export", "ana"),
    _of("contact-restrict", "contacts_contact_restrict", "ana"),
    _of("contact-opt-in", "contacts_contact_opt_in", "ana"),
    _of("contact-stage", "scoring_lifecycleevent_move", "ana"),
    _list("merges", "contacts_contactmerge"),
    _one("merge", "contacts_contactmerge", "merge"),
    _of("merge-conflicts", "contacts_contactmerge_conflicts"),
    _list("segments", "contacts_segment"),
    _add("segment-new", "contacts_segment"),
    _one("segment", "contacts_segment", "segment"),
    _of("segment-members", "contacts_segment_members", "segment"),
    _list("lists", "contacts_list"),
    _add("list-new", "contacts_list"),
    _one("list", "contacts_list", "list"),
    _list("events", "contacts_contactevent"),
    _one("event", "contacts_contactevent", "event"),
    _of("events-live", "contacts_contactevent_live"),
    _list("events-refused", "contacts_quarantinedevent"),
    _one("event-refused", "contacts_quarantinedevent", "quarantined"),
    _list("tags", "contacts_tag"),
    _one("tag", "contacts_tag", "tag"),
    _list("imports", "contacts_importrun"),
    _add("import-new", "contacts_importrun"),
    _of("import-mapping", "contacts_importrun_mapping", "import_waiting"),
    _one("import", "contacts_importrun", "import_done"),
    _of("export", "contacts_export"),
    _list("suppressions", "delivery_suppression"),
    _add("suppression-new", "delivery_suppression"),
    _one("suppression", "delivery_suppression", "suppression"),
    _of("suppression-import", "delivery_suppression_import"),
    _list("privacy", "contacts_privacydeed"),
)
MEASURE = (
    _list("reports", "analytics_reportsubscription"),
    *(
        Page(f"report-{report.slug}", lambda town, slug=report.slug: reverse("admin:analytics_report", args=[slug]))
        for report in reports()
    ),
    Page("report-by-mail", lambda town: reverse("admin:analytics_report_mail", args=["funnel"])),
    _list("experiments", "analytics_experiment"),
    _one("experiment", "analytics_experiment", "experiment"),
    _of("experiment-settings", "analytics_experiment_settings", "experiment"),
    _list("warehouse", "analytics_warehouserun"),
    _list("scoring", "scoring_ruleset"),
    _add("ruleset-new", "scoring_ruleset"),
    _one("ruleset", "scoring_ruleset", "ruleset"),
    _one("ruleset-draft", "scoring_ruleset", "ruleset_draft"),
    Page(
        "rulesets-compared",
        lambda town: (
            reverse("admin:scoring_ruleset_compare") + f"?from={town.ids['ruleset']}&to={town.ids['ruleset_draft']}"
        ),
    ),
    _list("back-tests", "scoring_backtest"),
    _add("back-test-new", "scoring_backtest"),
    _one("back-test", "scoring_backtest", "backtest"),
    _list("leaderboard", "scoring_scorecrossing"),
    _list("lifecycle", "scoring_lifecycleevent"),
    _one("lifecycle-move", "scoring_lifecycleevent", "lifecycle_event"),
    _of("lifecycle-funnel", "scoring_lifecycleevent_funnel"),
    Page("lifecycle-stage", lambda town: reverse("admin:scoring_lifecycleevent_stage", args=["mql"])),
    _list("lifecycle-rules", "scoring_progressionrule"),
    Page("lifecycle-rule-new", lambda town: reverse("admin:scoring_progressionrule_new", args=["event"])),
    Page("lifecycle-rule", lambda town: reverse("admin:scoring_progressionrule_rule", args=["score-reaches-mql"])),
    _list("lifecycle-names", "scoring_stagelabel"),
)
DELIVERY = (
    _list("deliverability", "delivery_posttally"),
    _of("pressure", "analytics_counter_pressure"),
    _list("domains", "delivery_sendingdomain"),
    _one("domain", "delivery_sendingdomain", "domain"),
    _one("domain-braked", "delivery_sendingdomain", "domain_braked"),
    _list("seeds", "delivery_seedaddress"),
    _add("seed-new", "delivery_seedaddress"),
    _list("messages", "delivery_message"),
    _list("messages-refused", "delivery_message", "?state=rejected"),
    _of("messages-in-doubt", "delivery_message_in_doubt"),
    _one("message", "delivery_message", "accepted"),
    _one("message-capped", "delivery_message", "capped"),
    _list("providers", "delivery_provider"),
    _one("provider", "delivery_provider", "provider"),
)
SETTINGS = (
    _of("website", "contacts_website"),
    _list("keys", "contacts_apikey"),
    _add("key-new", "contacts_apikey"),
    _one("key", "contacts_apikey", "key"),
    _one("key-rotate", "contacts_apikey", "key", opens=deeds.rotate),
    _one("key-rotated", "contacts_apikey", "key", opens=deeds.rotated),
    _of("service-accounts", "contacts_apikey_accounts"),
    _list("webhooks", "delivery_webhookdelivery"),
    _list("outgoing-webhooks", "delivery_webhookendpoint"),
    _add("outgoing-webhook-new", "delivery_webhookendpoint"),
    _one("outgoing-webhook", "delivery_webhookendpoint", "endpoint"),
    _of("outgoing-webhook-edit", "delivery_webhookendpoint_edit", "endpoint"),
    Page("settings", lambda town: reverse("settings-page")),
    _list("users", "auth_user"),
    _add("user-new", "auth_user"),
    _one("user", "auth_user", "maya"),
    _list("groups", "auth_group"),
    _one("group", "auth_group", "group"),
    _list("audit", "contacts_auditentry"),
    _list("schedules", "django_celery_beat_periodictask"),
    _one("schedule", "django_celery_beat_periodictask", "schedule"),
    _add("schedule-new", "django_celery_beat_periodictask"),
    _list("intervals", "django_celery_beat_intervalschedule"),
    _list("crontabs", "django_celery_beat_crontabschedule"),
    _of("user-password", "auth_user_password_change", "maya"),
    _add("group-new", "auth_group"),
    Page("app", lambda town: reverse("admin:app_list", args=["contacts"])),
    Page("password", lambda town: reverse("admin:password_change")),
    Page("second-factor", lambda town: reverse("second-factor")),
    Page("second-factor-set-up", lambda town: reverse("second-factor-set-up")),
    Page("second-factor-reset", lambda town: reverse("second-factor-reset", args=[town.ids["careful"]])),
    _of("user-delete", "auth_user_delete", "careful"),
)
PUBLIC = (
    _public("log-in", lambda town: reverse("admin:login") + "?next=/admin/", "#id_username"),
    _public("log-in-code", lambda town: reverse("admin:login") + "?next=/admin/", "#id_username", deeds.password),
    _public("unsubscribe", lambda town: f"/u/{town.ids['unsubscribe']}"),
    _public("preferences", lambda town: f"/preferences/{town.ids['unsubscribe']}"),
    _public("confirm", lambda town: f"/confirm/{town.ids['confirm']}"),
    _public("report-stop", lambda town: f"/reports/{town.ids['subscription']}/stop"),
)
PAGES: tuple[Page, ...] = (*START, *JOURNEYS, *AUDIENCE, *MEASURE, *DELIVERY, *SETTINGS, *PUBLIC)
