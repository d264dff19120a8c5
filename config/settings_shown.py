"""What the settings page shows of each setting: its words, and how its value is told. Where a value may hold a secret,
only whether there is one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Shown:
    """`none`: what it means that nothing is set, or for a number that it is 0. `unit` stands behind a value.
    `is_secret`: the value is never told."""

    name: str
    label: str
    none: str = "not set"
    unit: str = ""
    is_secret: bool = False
    note: str = ""


@dataclass(frozen=True)
class Elsewhere:
    """What is set on another page of the admin; shown to whoever has the permission."""

    label: str
    words: str
    url_name: str
    permission: str


@dataclass(frozen=True)
class Group:
    key: str
    title: str
    about: str
    shown: tuple[Shown, ...]
    elsewhere: tuple[Elsewhere, ...] = ()


def _secret(name: str, label: str, none: str = "not set") -> Shown:
    return Shown(name, label, none, is_secret=True)


GROUPS = (
    Group(
        "time",
        "Time",
        "Waits for “nine in the morning, their time” use the contact's own zone first, then the journey's, then this.",
        (
            Shown("DEFAULT_TIMEZONE", "Time zone of contacts without one", "UTC"),
            Shown("EVENT_TRIGGER_MAX_AGE", "Events older than this start nothing"),
            Shown("TIME_SPEED", "How much faster than life time passes", unit="×", note="1 is life itself"),
        ),
        (Elsewhere("Time zone of one journey", "In the settings of the journey", "admin:workflows_workflow_changelist",
                   "workflows.view_workflow"),),
    ),
    Group(
        "caps",
        "How often people are written to",
        "Marketing messages that one person gets at most. Messages about a purchase or an account are not counted.",
        (
            Shown("FREQUENCY_CAP_PER_DAY", "E-mails within 24 hours"),
            Shown("FREQUENCY_CAP_PER_WEEK", "E-mails within 7 days"),
            Shown("SMS_CAP_PER_DAY", "SMS within 24 hours", "no limit"),
            Shown("SMS_CAP_PER_WEEK", "SMS within 7 days", "no limit"),
            Shown("PUSH_CAP_PER_DAY", "Push messages within 24 hours", "no limit"),
            Shown("PUSH_CAP_PER_WEEK", "Push messages within 7 days", "no limit"),
        ),
        (
            Elsewhere("Quiet hours", "In the settings of each journey", "admin:workflows_workflow_changelist",
                      "workflows.view_workflow"),
            Elsewhere("Who competes for a person's next message", "Pressure", "admin:analytics_counter_pressure",
                      "delivery.view_message"),
        ),
    ),
    Group(
        "sender",
        "Who messages come from",
        "Shown to everybody who is written to, in the message, its footer and the preference page.",
        (
            Shown("EMAIL_FROM", "Sender"),
            Shown("EMAIL_FROM_NAME", "Name of the sender"),
            Shown("EMAIL_FROM_TRANSACTIONAL", "Sender of messages about purchases and accounts"),
            Shown("BRAND_NAME", "Brand"),
            Shown("BRAND_COLOR", "Colour", "our own plain colours"),
            Shown("BRAND_LOGO_URL", "Logo", "no picture"),
            Shown("POSTAL_ADDRESS", "Address in the footer", "not set: many countries want it below marketing e-mails"),
            Shown("UNSUBSCRIBE_MAILTO", "Mailbox that takes unsubscriptions", "only the link does"),
            Shown("TOPICS", "Topics people may choose", "none: all marketing, or nothing"),
            Shown("UTM_SOURCE", "What links say of where a visitor came from"),
            Shown("UTM_DOMAINS", "Sites whose links say so", "those of the sender and of this installation"),
            Shown("TEST_SEND_DOMAINS", "Domains test mails may go to", "addresses of the staff and the seed list"),
        ),
        (
            Elsewhere("Mailboxes that see messages first", "Seed list", "admin:delivery_seedaddress_changelist",
                      "delivery.view_seedaddress"),
            Elsewhere("Checks and warm-up of domains", "Sending domains", "admin:delivery_sendingdomain_changelist",
                      "delivery.view_sendingdomain"),
        ),
    ),
    Group(
        "sending",
        "How messages go out",
        "Which provider takes them, how fast, and how long somebody waits for its answer.",
        (
            Shown("EMAIL_PROVIDER", "Provider of e-mail"),
            Shown("EMAIL_FALLBACK_PROVIDER", "Who takes over when it fails", "nobody: messages wait"),
            Shown("SMS_PROVIDER", "Provider of SMS", "nobody"),
            Shown("PUSH_PROVIDER", "Provider of push messages", "nobody"),
            Shown("ESP_RATE_LIMIT", "Messages to a provider", unit="a second"),
            Shown("PROVIDER_RATES", "For single providers, a second", "as above"),
            Shown("SENDING_DOMAIN_RATES", "For the domains of senders, a second", "as above"),
            Shown("RECIPIENT_DOMAIN_RATES", "For the domains of readers, a second", "as above"),
            Shown("SEND_LEASE_SECONDS", "How long a worker holds a message that it sends", unit="s",
                  note="An unsubscription is acknowledged after at most so long"),
            Shown("ESP_TIMEOUT_SECONDS", "How long a provider may take to answer", unit="s"),
            Shown("ESP_MAX_ATTEMPTS", "Attempts for a message that is refused for now"),
            Shown("ESP_BACKOFF_MS", "Pause before the second attempt", unit="ms"),
            Shown("IN_DOUBT_DEADLINE", "How long a message whose answer was lost stays in doubt"),
            Shown("BRAKE_COMPLAINT_PERCENT", "Complaints at which a domain's marketing waits", "never", unit="%"),
            Shown("BRAKE_BOUNCE_PERCENT", "Bounces at which a domain's marketing waits", "never", unit="%"),
            Shown("BRAKE_SAMPLE", "Messages heard of before that is judged"),
        ),
        (
            Elsewhere("Providers that stopped or rest", "Providers", "admin:delivery_provider_changelist",
                      "delivery.view_provider"),
            Elsewhere("Addresses that providers report to", "Webhooks", "admin:delivery_webhookdelivery_changelist",
                      "delivery.view_webhookdelivery"),
        ),
    ),
    Group(
        "journeys",
        "Safety of journeys",
        "What keeps a mistake from reaching everybody.",
        (
            Shown("PUBLISH_NEEDS_SECOND_PERSON", "A second person has to publish"),
            Shown("ENROLMENT_BRAKE_FACTOR", "A journey is braked when so many times more people enter than usual",
                  "never", unit="×"),
            Shown("ENROLMENT_BRAKE_SAMPLE", "Entries before that is judged"),
            Shown("ENTRIES_PER_CONTACT_PER_DAY", "Times that a contact may enter one journey within a day"),
            Shown("WEBHOOK_CALLS_PER_MINUTE", "Calls that one journey makes to other servers", unit="a minute"),
            Shown("PENDING_ALERT_SECONDS", "People who wait longer to begin raise an alert", unit="s"),
            Shown("REHEARSAL_SECONDS", "Longest rehearsal", unit="s"),
            Shown("WEBHOOK_ALLOWED_HOSTS", "Servers of our own network that journeys may call", "none"),
        ),
        (
            Elsewhere("Rules of scores, and the threshold of an MQL", "Scoring", "admin:scoring_ruleset_changelist",
                      "scoring.view_ruleset"),
            Elsewhere("Names of lifecycle stages", "Lifecycle", "admin:scoring_stagelabel_changelist",
                      "scoring.view_stagelabel"),
        ),
    ),
    Group(
        "consent",
        "Consent and privacy",
        "What holds for people who were not asked yet, and what counts as personal.",
        (
            Shown("DEFAULT_TRACKING_CONSENT", "Visitors who were not asked"),
            Shown("MARKETING_CONSENT", "Marketing e-mails need"),
            Shown("OPT_IN_LIFETIME", "How long the link of a double opt-in works"),
            Shown("RESIDENCY_ALLOWED", "Regions whose people may be stored", "all"),
            Shown("PERSONAL_ATTRIBUTES", "More attributes that are personal", "those that are by their names"),
            Shown("BROWSER_EVENTS_PER_SECOND", "Events from one visitor's network", unit="a second"),
            Shown("API_REQUESTS_PER_MINUTE", "Requests with one key of the API", unit="a minute"),
        ),
        (Elsewhere("Requests of people", "Privacy", "admin:contacts_privacydeed_changelist",
                   "contacts.view_privacydeed"),),
    ),
    Group(
        "retention",
        "How long things are kept",
        "Afterwards they are deleted by themselves. What was sent to whom and when is kept.",
        (
            Shown("CONTACT_RETENTION", "People who did nothing and got nothing", "for ever"),
            Shown("EVENT_RETENTION", "Events", "for ever"),
            Shown("MESSAGE_RETENTION", "What was filled into messages", "for ever"),
            Shown("EVENT_KEY_RETENTION", "How long an event that is sent twice is noticed", "for ever"),
            Shown("QUARANTINE_RETENTION", "Events that could not be taken", "for ever"),
            Shown("IMPORT_RETENTION", "Imports, with the rows they refused", "for ever"),
            Shown("WEBHOOK_RETENTION", "Reports of providers, as they came", "for ever"),
            Shown("WEBHOOK_DELIVERY_RETENTION", "What outgoing webhooks were told", "for ever"),
            Shown("AUDIT_RETENTION", "Who changed what", "for ever"),
        ),
    ),
    Group(
        "alerts",
        "Alerts",
        "Who hears when something needs a person. The page and the menu show it all the same.",
        (
            Shown("ALERT_EMAIL", "By e-mail", "nobody"),
            _secret("ALERT_WEBHOOK_URL", "By a call to another server"),
            Shown("ALERT_AGAIN_AFTER", "One that lasts is told again after"),
        ),
        (Elsewhere("What is wrong now", "Alerts", "admin:analytics_alert_changelist", "analytics.view_alert"),),
    ),
    Group(
        "warehouse",
        "Warehouse",
        "Numbers over months, built once a day beside the rest.",
        (
            Shown("WAREHOUSE_AT", "When it is built", "never by itself"),
            Shown("WAREHOUSE_REVENUE_EVENTS", "Events that bring revenue", "none"),
            Shown("WAREHOUSE_TOUCH_EVENTS", "Events that are touches of marketing", "our own messages only"),
            Shown("WAREHOUSE_STAGE_EVENTS", "Events that tell a stage", "our own stages only"),
            Shown("WAREHOUSE_CURRENCY", "Currency", "none is named"),
        ),
        (Elsewhere("Its builds", "Warehouse", "admin:analytics_warehouserun_changelist",
                   "analytics.view_warehouserun"),),
    ),
    Group(
        "machine",
        "Addresses and secrets",
        "For whoever runs this installation. Secrets are never shown: only whether they are set.",
        (
            Shown("PUBLIC_URL", "Address of this installation"),
            Shown("ALLOWED_HOSTS", "Host names that are answered"),
            _secret("SECRET_KEY", "Key that signs links and sessions"),
            _secret("SECRET_KEY_FALLBACKS", "Older ones that still hold", "none"),
            _secret("PRIVACY_KEY", "Key by which erased people are known", "made from SECRET_KEY"),
            _secret("WEBHOOK_SIGNING_SECRET", "Key that signs calls of journeys", "made from SECRET_KEY"),
            _secret("REDIS_URL", "Redis"),
            _secret("CELERY_BROKER_URL", "Broker"),
            Shown("KAFKA_BOOTSTRAP_SERVERS", "Kafka to read events from", "none"),
            Shown("KAFKA_TOPIC", "Topic there"),
            Shown("OTEL_EXPORTER_OTLP_ENDPOINT", "Collector of traces", "none"),
            Shown("BEHIND_PROXY", "A proxy stands in front"),
            Shown("DEBUG", "Tracebacks in the browser"),
        ),
        (
            Elsewhere("Keys of programs", "API keys", "admin:contacts_apikey_changelist", "contacts.view_apikey"),
            Elsewhere("What happens by the clock", "Schedules", "admin:django_celery_beat_periodictask_changelist",
                      "django_celery_beat.view_periodictask"),
            Elsewhere("Who changed what", "Audit log", "admin:contacts_auditentry_changelist",
                      "contacts.view_auditentry"),
        ),
    ),
)  # fmt: skip
