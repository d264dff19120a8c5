"""Every knob comes from the environment (`.env.example` lists them all)."""

from __future__ import annotations

import copy
import os
from urllib.parse import urlsplit

from config import env
from config.admin_site import UNFOLD  # noqa: F401  (Unfold reads the name from here)
from config.lanes import LANES, beating  # noqa: F401

BASE_DIR = env.BASE_DIR
env.load_running_services()

# -- the house ---------------------------------------------------------------------------------------------------------
DEBUG = env.flag("DEBUG")
SECRET_KEY = env.text("SECRET_KEY", "insecure-development-key-that-check-deploy-refuses")
SECRET_KEY_FALLBACKS = env.words("SECRET_KEY_FALLBACKS")
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
PUBLIC_URL = env.text("PUBLIC_URL", "http://127.0.0.1:8000").rstrip("/")
DEFAULT_TIMEZONE = env.text("DEFAULT_TIMEZONE", "UTC")

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "django.contrib.admin.apps.SimpleAdminConfig",  # config/urls.py loads the pages: workers and commands need none
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_celery_beat",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "contacts",
    "scoring",
    "delivery",
    "workflows",
    "analytics",
    "config",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.content_policy.ContentPolicy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "contacts.staff_sessions.StaffSessions",
    "contacts.who_asks.KnowWhoAsks",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "contacts.api.envelope.Envelope",
]
APPEND_SLASH = False  # with and without a trailing slash alike, never a redirect: the routes say so themselves
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "delivery.branding.on_pages",
            ],
        },
    }
]
LANGUAGE_CODE = "en"
USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# -- PostgreSQL, the truth ---------------------------------------------------------------------------------------------
DATABASES = {"default": env.database(env.text("DATABASE_URL", "postgres://carillon@127.0.0.1:5432/carillon"))}
DATABASES["default"]["CONN_MAX_AGE"] = 60
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DATABASES["default"]["DISABLE_SERVER_SIDE_CURSORS"] = True  # a transaction-pooling proxy may stand in between
_limits = "-c lock_timeout=3s -c statement_timeout=15s -c idle_in_transaction_session_timeout=30s"
_direct_url = env.text("DATABASE_DIRECT_URL")  # past such a proxy
DATABASE_DIRECT = env.database(_direct_url, name="DATABASE_DIRECT_URL") if _direct_url else {}
DATABASE_OWNER_SESSION = env.flag("DATABASE_OWNER_SESSION")
if DATABASE_OWNER_SESSION:  # migrations and rebuilds: long statements are expected, long lock waits are not
    _limits = "-c lock_timeout=2s"
    DATABASES["default"].update(copy.deepcopy(DATABASE_DIRECT))
DATABASES["default"]["OPTIONS"].setdefault("options", _limits)
DATABASES["default"]["OPTIONS"].setdefault("connect_timeout", 5)

_replica_url = env.text("ANALYTICS_DATABASE_URL")
if _replica_url:  # what reports are read from; everything else, and all that is written, stays where it is
    DATABASES["analytics"] = {**DATABASES["default"], **env.database(_replica_url, name="ANALYTICS_DATABASE_URL")}
    DATABASES["analytics"]["OPTIONS"].setdefault("options", _limits)
    DATABASES["analytics"]["OPTIONS"].setdefault("connect_timeout", 5)

# -- the warehouse (dbt lives in an environment of its own) ------------------------------------------------------------
WAREHOUSE_DBT = env.text("WAREHOUSE_DBT", str(BASE_DIR / ".venv-warehouse" / "bin" / "dbt"))
WAREHOUSE_STATE = str(env.state_folder() / "warehouse")
WAREHOUSE_AT = env.time_of_day("WAREHOUSE_AT", "02:30")  # in DEFAULT_TIMEZONE
WAREHOUSE_REVENUE_EVENTS = env.pairs("WAREHOUSE_REVENUE_EVENTS")  # order_completed=total,deal_won=amount
WAREHOUSE_TOUCH_EVENTS = env.pairs("WAREHOUSE_TOUCH_EVENTS")  # touch_recorded=touch_type
WAREHOUSE_STAGE_EVENTS = env.pairs("WAREHOUSE_STAGE_EVENTS")  # stage_reached=stage
WAREHOUSE_CURRENCY = env.text("WAREHOUSE_CURRENCY", "")

# -- Redis, an index; Celery, the doorbells ----------------------------------------------------------------------------
REDIS_URL = env.text("REDIS_URL", "redis://127.0.0.1:6379/1")
REDIS_PREFIX = env.text("REDIS_PREFIX", "carillon:")
CELERY_BROKER_URL = env.text("CELERY_BROKER_URL", REDIS_URL)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = (
    {
        "visibility_timeout": 300,
        "socket_timeout": 30,
        "socket_connect_timeout": 5,
        "socket_keepalive": True,
        "health_check_interval": 10,
        "global_keyprefix": REDIS_PREFIX,
    }
    if urlsplit(CELERY_BROKER_URL).scheme.startswith("redis")
    else {"confirm_publish": True}
)
if urlsplit(CELERY_BROKER_URL).scheme.startswith("amqp"):  # a cluster keeps quorum queues; later bells need topics
    CELERY_TASK_DEFAULT_QUEUE_TYPE = CELERY_TASK_CREATE_MISSING_QUEUE_TYPE = "quorum"
    CELERY_TASK_DEFAULT_EXCHANGE_TYPE = CELERY_TASK_CREATE_MISSING_QUEUE_EXCHANGE_TYPE = "topic"
CELERY_TASK_DEFAULT_QUEUE = "housekeeping"
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_ACKS_ON_FAILURE_OR_TIMEOUT = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_ACCEPT_CONTENT = ["json"]  # and json is what it writes
CELERY_TASK_TIME_LIMIT = 60
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_ETA_TASK_LIMIT = 1000
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TASK_PUBLISH_RETRY = False
CELERY_DB_REUSE_MAX = 10_000  # else Celery's Django fixup opens a database connection for every task
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_BEAT_SCHEDULE = {
    "sweep the lanes": {"task": "workflows.sweep", "schedule": 5.0, "options": {"queue": "housekeeping"}},
    "sweep the outbox": {"task": "delivery.sweep", "schedule": 5.0, "options": {"queue": "housekeeping"}},
    "sweep the scores": {"task": "scoring.sweep", "schedule": 5.0, "options": {"queue": "housekeeping"}},
    "sweep the segments": {"task": "contacts.sweep_segments", "schedule": 5.0, "options": {"queue": "housekeeping"}},
    "follow the experiments": {"task": "analytics.sweep", "schedule": 30.0, "options": {"queue": "housekeeping"}},
    "watch the warehouse": {
        "task": "analytics.watch_warehouse",
        "schedule": 30.0,
        "options": {"queue": "housekeeping"},
    },
    "look for trouble": {"task": "analytics.look", "schedule": 10.0, "options": {"queue": "housekeeping"}},
    "measure the delays": {"task": "analytics.delays", "schedule": 15.0, "options": {"queue": "housekeeping"}},
    "check the counters": {"task": "analytics.reconcile", "schedule": 30.0, "options": {"queue": "housekeeping"}},
    "fold the counters": {"task": "analytics.fold", "schedule": 5.0, "options": {"queue": "housekeeping"}},
    "make event partitions": {
        "task": "contacts.make_partitions",
        "schedule": 3600.0,
        "options": {"queue": "housekeeping"},
    },
    "keep to retention": {
        "task": "contacts.keep_to_retention",
        "schedule": 300.0,
        "options": {"queue": "housekeeping"},
    },
    "follow merges": {"task": "contacts.rehome", "schedule": 60.0, "options": {"queue": "housekeeping"}},
    "follow merges of days": {
        "task": "contacts.rehome",
        "schedule": 3600.0,
        "kwargs": {"hours": 72.0},
        "options": {"queue": "housekeeping"},
    },
    "prune the post": {"task": "delivery.prune", "schedule": 300.0, "options": {"queue": "housekeeping"}},
    "check the sending domains": {
        "task": "delivery.check_domains",
        "schedule": 60.0,
        "options": {"queue": "housekeeping"},
    },
    "fold the tallies of the post": {
        "task": "delivery.fold_tallies",
        "schedule": 10.0,
        "options": {"queue": "housekeeping"},
    },
    "fold the tallies of intake": {
        "task": "contacts.fold_tallies",
        "schedule": 30.0,
        "options": {"queue": "housekeeping"},
    },
    "tidy the event log": {"task": "contacts.tidy", "schedule": 300.0, "options": {"queue": "housekeeping"}},
    "seal the audit log": {"task": "contacts.seal_audit", "schedule": 5.0, "options": {"queue": "housekeeping"}},
    "forget used triggers": {"task": "workflows.tidy", "schedule": 300.0, "options": {"queue": "housekeeping"}},
    "make journal partitions": {
        "task": "workflows.make_partitions",
        "schedule": 3600.0,
        "options": {"queue": "housekeeping"},
    },
}
QUEUE_PREFETCH = env.integer("QUEUE_PREFETCH", 50, least=1)

# -- Kafka, one of the ways in -----------------------------------------------------------------------------------------
KAFKA_BOOTSTRAP_SERVERS = env.text("KAFKA_BOOTSTRAP_SERVERS")
KAFKA_TOPIC = env.text("KAFKA_TOPIC", "marketing.events")
KAFKA_GROUP = env.text("KAFKA_GROUP", "carillon")
KAFKA_OPTIONS = env.pairs("KAFKA_OPTIONS")

# -- who has to be there: the processes that beat (contacts.heartbeat) -------------------------------------------------
HEARTBEATS = beating(with_kafka=bool(KAFKA_BOOTSTRAP_SERVERS))

# -- alerts from inside ------------------------------------------------------------------------------------------------
ALERT_EMAIL = env.words("ALERT_EMAIL")
ALERT_WEBHOOK_URL = env.text("ALERT_WEBHOOK_URL")
ALERT_AGAIN_AFTER = env.text("ALERT_AGAIN_AFTER", "PT12H")

# -- traces, if anybody takes them -------------------------------------------------------------------------------------
OTEL_EXPORTER_OTLP_ENDPOINT = env.text("OTEL_EXPORTER_OTLP_ENDPOINT")
OTEL_SERVICE_NAME = env.text("OTEL_SERVICE_NAME", "carillon")
if OTEL_EXPORTER_OTLP_ENDPOINT:
    MIDDLEWARE.insert(0, "contacts.tracing_requests.TraceRequests")

# -- time --------------------------------------------------------------------------------------------------------------
# A demonstration may run faster than life: waits, windows, caps and decay periods are all divided by this.
TIME_SPEED = env.number("TIME_SPEED", 1.0, least=1.0)
EVENT_TRIGGER_MAX_AGE = env.text("EVENT_TRIGGER_MAX_AGE", "P30D")

# -- safety of workflows -----------------------------------------------------------------------------------------------
ENROLMENT_BRAKE_FACTOR = env.number("ENROLMENT_BRAKE_FACTOR", 10.0, least=0.0)
ENROLMENT_BRAKE_SAMPLE = env.integer("ENROLMENT_BRAKE_SAMPLE", 1000, least=1)
ENTRIES_PER_CONTACT_PER_DAY = env.integer("ENTRIES_PER_CONTACT_PER_DAY", 100, least=1)
WEBHOOK_CALLS_PER_MINUTE = env.integer("WEBHOOK_CALLS_PER_MINUTE", 6000, least=1)
PENDING_ALERT_SECONDS = env.number("PENDING_ALERT_SECONDS", 3600.0, least=1.0)
REHEARSAL_SECONDS = env.integer("REHEARSAL_SECONDS", 3600, least=10)
PUBLISH_NEEDS_SECOND_PERSON = env.flag("PUBLISH_NEEDS_SECOND_PERSON", False)

# -- how long events and what comes with them are kept (empty: for ever) -----------------------------------------------
EVENT_RETENTION = env.text("EVENT_RETENTION")
EVENT_KEY_RETENTION = env.text("EVENT_KEY_RETENTION", "P90D")
QUARANTINE_RETENTION = env.text("QUARANTINE_RETENTION", "P7D")
IMPORT_RETENTION = env.text("IMPORT_RETENTION", "P30D")
AUDIT_RETENTION = env.text("AUDIT_RETENTION")

# -- consent -----------------------------------------------------------------------------------------------------------
DEFAULT_TRACKING_CONSENT = env.text("DEFAULT_TRACKING_CONSENT", "denied")
MARKETING_CONSENT = env.text("MARKETING_CONSENT", "opt_out")
RESIDENCY_ALLOWED = env.words("RESIDENCY_ALLOWED")
BROWSER_EVENTS_PER_SECOND = env.integer("BROWSER_EVENTS_PER_SECOND", 200, least=1)
OPT_IN_LIFETIME = env.text("OPT_IN_LIFETIME", "P7D")

# -- privacy: keys of tombstones, and how long what is kept (empty: for ever) ------------------------------------------
PRIVACY_KEY = env.text("PRIVACY_KEY")
PRIVACY_KEY_FALLBACKS = env.words("PRIVACY_KEY_FALLBACKS")
CONTACT_RETENTION = env.text("CONTACT_RETENTION")
MESSAGE_RETENTION = env.text("MESSAGE_RETENTION", "P365D")
WEBHOOK_RETENTION = env.text("WEBHOOK_RETENTION", "P7D")
WEBHOOK_DELIVERY_RETENTION = env.text("WEBHOOK_DELIVERY_RETENTION", "P30D")

# -- delivery ----------------------------------------------------------------------------------------------------------
READ_SETTING = env.text  # for settings that the folder of a provider alone knows
EMAIL_PROVIDER = env.text("EMAIL_PROVIDER", "sandbox")
EMAIL_FALLBACK_PROVIDER = env.text("EMAIL_FALLBACK_PROVIDER")
SMS_PROVIDER = env.text("SMS_PROVIDER", "sandbox" if EMAIL_PROVIDER == "sandbox" else "")
PUSH_PROVIDER = env.text("PUSH_PROVIDER", "sandbox" if EMAIL_PROVIDER == "sandbox" else "")
EMAIL_FROM = env.text("EMAIL_FROM", "hello@carillon.example")
EMAIL_FROM_TRANSACTIONAL = env.text("EMAIL_FROM_TRANSACTIONAL", EMAIL_FROM)
EMAIL_FROM_NAME = env.text("EMAIL_FROM_NAME", "Carillon")
UNSUBSCRIBE_MAILTO = env.text("UNSUBSCRIBE_MAILTO")
BRAND_NAME = env.text("BRAND_NAME", EMAIL_FROM_NAME)
BRAND_COLOR = env.text("BRAND_COLOR")
BRAND_LOGO_URL = env.text("BRAND_LOGO_URL")
POSTAL_ADDRESS = env.text("POSTAL_ADDRESS")
TOPICS = env.pairs("TOPICS")
PERSONAL_ATTRIBUTES = env.words("PERSONAL_ATTRIBUTES")
UTM_SOURCE = env.text("UTM_SOURCE", BRAND_NAME)
UTM_DOMAINS = env.words("UTM_DOMAINS")
TEST_SEND_DOMAINS = env.words("TEST_SEND_DOMAINS")
SENDGRID_API_KEY = env.text("SENDGRID_API_KEY")
SENDGRID_API_URL = env.text("SENDGRID_API_URL", "https://api.sendgrid.com").rstrip("/")
SENDGRID_WEBHOOK_PUBLIC_KEY = env.text("SENDGRID_WEBHOOK_PUBLIC_KEY")
ESP_RATE_LIMIT = env.integer("ESP_RATE_LIMIT", 100, least=1)
PROVIDER_RATES = env.rates("PROVIDER_RATES")
SENDING_DOMAIN_RATES = env.rates("SENDING_DOMAIN_RATES")
RECIPIENT_DOMAIN_RATES = env.rates("RECIPIENT_DOMAIN_RATES")
BRAKE_COMPLAINT_PERCENT = env.number("BRAKE_COMPLAINT_PERCENT", 0.3)
BRAKE_BOUNCE_PERCENT = env.number("BRAKE_BOUNCE_PERCENT", 5.0)
BRAKE_SAMPLE = env.integer("BRAKE_SAMPLE", 500, least=1)
ESP_MAX_ATTEMPTS = env.integer("ESP_MAX_ATTEMPTS", 3, least=1)
ESP_BACKOFF_MS = env.integer("ESP_BACKOFF_MS", 1000, least=1)
ESP_TIMEOUT_SECONDS = env.number("ESP_TIMEOUT_SECONDS", 10.0, least=0.1)
SEND_LEASE_SECONDS = env.number("SEND_LEASE_SECONDS", 2.0, least=0.2)
IN_DOUBT_DEADLINE = env.text("IN_DOUBT_DEADLINE", "PT24H")
SEND_JOURNAL_DIR = env.text(
    "SEND_JOURNAL_DIR", str(env.state_folder() / "sends") if os.environ.get("CARILLON_STATE_DIR") else ""
)
BEAT_MEMORY_DIR = env.text(
    "BEAT_MEMORY_DIR", str(env.state_folder() / "beats") if os.environ.get("CARILLON_STATE_DIR") else ""
)
WEBHOOK_SIGNING_SECRET = env.words("WEBHOOK_SIGNING_SECRET")
LINK_CANARY = env.flag("LINK_CANARY", False)
WEBHOOK_ALLOWED_HOSTS = env.words("WEBHOOK_ALLOWED_HOSTS")
WEBHOOK_TIMEOUT_SECONDS = env.number("WEBHOOK_TIMEOUT_SECONDS", 10.0, least=0.1)
WEBHOOK_MAX_ATTEMPTS = env.integer("WEBHOOK_MAX_ATTEMPTS", 5, least=1)
WEBHOOK_BACKOFF_MS = env.integer("WEBHOOK_BACKOFF_MS", 1000, least=1)
DKIM_SELECTORS = env.words("DKIM_SELECTORS")
DNS_SERVERS = env.words("DNS_SERVERS")
FREQUENCY_CAP_PER_DAY = env.integer("FREQUENCY_CAP_PER_DAY", 1)
FREQUENCY_CAP_PER_WEEK = env.integer("FREQUENCY_CAP_PER_WEEK", 3)
SMS_CAP_PER_DAY = env.limit("SMS_CAP_PER_DAY")
SMS_CAP_PER_WEEK = env.limit("SMS_CAP_PER_WEEK")
PUSH_CAP_PER_DAY = env.limit("PUSH_CAP_PER_DAY")
PUSH_CAP_PER_WEEK = env.limit("PUSH_CAP_PER_WEEK")

# -- API ---------------------------------------------------------------------------------------------------------------
API_REQUESTS_PER_MINUTE = env.integer("API_REQUESTS_PER_MINUTE", 60_000, least=1)
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["contacts.access.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["contacts.access.HasScope", "contacts.api.repeating.SayOnce"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["contacts.collect.parsing.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "contacts.api.describing.Described",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "EXCEPTION_HANDLER": "contacts.problems.problem_details",
    "UNAUTHENTICATED_USER": None,
    "UNAUTHENTICATED_TOKEN": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Carillon API",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "contacts.api.schema.describe_events",  # a plain view, which the generator does not see
        "contacts.api.describing.describe_refusals",
        "contacts.collect.segment.schema.describe_tracking",
    ],
    "ENUM_NAME_OVERRIDES": {
        "EndpointStateEnum": ["enabled", "disabled"],
        "TemplateKindEnum": ["message", "layout", "partial"],
    },
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 40 * 1024 * 1024  # 1,000 events of 32 kB, and their envelope

# -- the browser's side ------------------------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = env.text("STATIC_ROOT", str(BASE_DIR / "var" / "static"))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": env.text("STATIC_STORAGE", "whitenoise.storage.CompressedManifestStaticFilesStorage")},
}
LOGIN_URL = "admin:login"
SECURE = PUBLIC_URL.startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE
SESSION_COOKIE_HTTPONLY = True
SESSION_IDLE_MINUTES = env.integer("SESSION_IDLE_MINUTES", 480, least=1)
SESSION_HOURS = env.integer("SESSION_HOURS", 168, least=1)
SESSION_COOKIE_AGE = SESSION_HOURS * 3600
REQUIRE_STAFF_2FA = env.flag("REQUIRE_STAFF_2FA")
OTP_TOTP_ISSUER = "Carillon"
SECURE_SSL_REDIRECT = SECURE and env.flag("SECURE_SSL_REDIRECT", True)
# what programs ask for; of those the clients of the tracking API turn a POST that is redirected into a GET
SECURE_REDIRECT_EXEMPT = [r"^(healthz|readyz|metrics)/?$", r"^v1/", r"^t\.js$"]
SECURE_HSTS_SECONDS = 31_536_000 if SECURE else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = SECURE
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
BEHIND_PROXY = env.flag("BEHIND_PROXY")
if BEHIND_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# -- logs: ids, never addresses or payloads ----------------------------------------------------------------------------
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"()": "config.logs.Line", "format": "%(asctime)s %(levelname)s %(name)s %(message)s"},
    },
    "filters": {"not probes": {"()": "config.logs.NotProbes"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["not probes"]}},
    "root": {"handlers": ["stderr"], "level": env.text("LOG_LEVEL", "INFO")},
    "loggers": {"celery.app.trace": {"level": "WARNING"}, "celery.worker.strategy": {"level": "WARNING"}},
}
