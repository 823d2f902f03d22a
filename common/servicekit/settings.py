"""Settings of all three projects. docs/reference/environment.md lists the variables."""

from pathlib import Path
from typing import Any

from common.servicekit.environment import Environment
from common.servicekit.logs import logging_config

env = Environment()

BASE_DIR = Path(__file__).resolve().parent.parent

DEBUG = env.bool("DEBUG", default=False)
# With an empty key, Django refuses to serve, but commands that need no secret work.
SECRET_KEY = env("SECRET_KEY", default="for-development-only" if DEBUG else "")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

SHARED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "rest_framework",
    "rest_framework.authtoken",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "common.servicekit",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    # Views require a login by default; those of DRF have DEFAULT_PERMISSION_CLASSES.
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "eventbus.middleware.EventContextMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("MinimumLengthValidator", "CommonPasswordValidator", "NumericPasswordValidator")
]
LOGIN_URL = "/admin/login/"
STATIC_URL = "static/"
WHITENOISE_USE_FINDERS = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
        "rest_framework.authentication.BasicAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["common.servicekit.api.permissions.ModelPermissions"],
    "DEFAULT_PARSER_CLASSES": [
        "common.servicekit.api.parsers.BoundedJSONParser",
        "rest_framework.parsers.FormParser",
        "rest_framework.parsers.MultiPartParser",
    ],
    "EXCEPTION_HANDLER": "common.servicekit.api.exceptions.exception_handler",
    "DEFAULT_FILTER_BACKENDS": ["common.servicekit.api.filters.FilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_THROTTLE_CLASSES": [
        "rest_framework.throttling.AnonRateThrottle",
        "rest_framework.throttling.UserRateThrottle",
    ],
    "DEFAULT_THROTTLE_RATES": {
        "anon": env.rate("API_THROTTLE_ANON", default="600/min"),
        "user": env.rate("API_THROTTLE_USER", default=""),
    },
    "NUM_PROXIES": env.not_negative("API_NUM_PROXIES", default=0),
}
SPECTACULAR_DEFAULTS = {
    "VERSION": "1.0.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "common.servicekit.api.schema.add_problems",
    ],
}

IDEMPOTENCY_KEY_HOURS = env.positive("IDEMPOTENCY_KEY_HOURS", default=24)
API_REQUIRE_IF_MATCH = env.bool("API_REQUIRE_IF_MATCH", default=False)

_KAFKA = {
    "bootstrap_servers": env.servers("KAFKA_BOOTSTRAP_SERVERS", default="localhost:9092"),
    "client_id": env("KAFKA_CLIENT_ID", default="django-events"),
    "security_protocol": env.choice(
        "KAFKA_SECURITY_PROTOCOL", ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
    ),
    "sasl_mechanism": env("KAFKA_SASL_MECHANISM", default=None),
    "sasl_plain_username": env("KAFKA_SASL_USERNAME", default=None),
    "sasl_plain_password": env("KAFKA_SASL_PASSWORD", default=None),
    "ssl_cafile": env.file("KAFKA_SSL_CAFILE"),
    "ssl_certfile": env.file("KAFKA_SSL_CERTFILE"),
    "ssl_keyfile": env.file("KAFKA_SSL_KEYFILE"),
    "ssl_password": env("KAFKA_SSL_PASSWORD", default=None),
    "ssl_check_hostname": env.bool("KAFKA_SSL_CHECK_HOSTNAME", default=True),
}
EVENTBUS_DEFAULTS = {
    "KAFKA": _KAFKA,
    "SESSION_TIMEOUT_MS": env.positive("KAFKA_SESSION_TIMEOUT_MS", default=6_000),
    "TOPIC_PARTITIONS": env.positive("KAFKA_TOPIC_PARTITIONS", default=6),
    "TOPIC_REPLICATION_FACTOR": env.positive("KAFKA_TOPIC_REPLICATION_FACTOR", default=1),
    "TOPIC_RETENTION_MS": env.int("KAFKA_TOPIC_RETENTION_MS", default=7 * 24 * 3600 * 1000),
    "OUTBOX_RETENTION_DAYS": env.not_negative("OUTBOX_RETENTION_DAYS", default=30),
    "INBOX_RETENTION_DAYS": env.not_negative("INBOX_RETENTION_DAYS", default=14),
    "SCHEMA_URL": env("EVENT_SCHEMA_URL", default="http://localhost:8001/api/events/schema/"),
    "CONSUMER_CONCURRENCY": env.positive("CONSUMER_CONCURRENCY", default=1),
    "CONSUMER_TOPICS": env.list("CONSUMER_TOPICS", default=[]),
}

LOGGING = logging_config(
    level=env.choice("LOG_LEVEL", ("INFO", "DEBUG", "WARNING", "ERROR", "CRITICAL")),
    as_json=env.bool("LOG_JSON", default=not DEBUG),
)


def database(name: str) -> dict[str, Any]:
    """The service's own database: ``DATABASE_URL``, or a SQLite file under ``var/``."""
    path = BASE_DIR / "var" / f"{name}.sqlite3"
    config = env.database("DATABASE_URL", default=f"sqlite:///{path}")
    if config["ENGINE"] == "django.db.backends.sqlite3":
        Path(str(config["NAME"])).parent.mkdir(parents=True, exist_ok=True)
        config["OPTIONS"] = {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        }
    else:
        config.setdefault("CONN_MAX_AGE", 60)
        config["CONN_HEALTH_CHECKS"] = True
        # A worker that waits longer for an unresponsive server would drop out of its group.
        config.setdefault("OPTIONS", {}).setdefault("connect_timeout", 10)
    return config
