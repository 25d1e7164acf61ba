"""All settings of hpweb. The environment is read here and nowhere else; a wrong value stops the start with words."""

import os
import re
import secrets
import socket
import warnings
from datetime import timedelta
from pathlib import Path
from typing import Any

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent


def text(name: str, default: str = "") -> str:
    return os.environ.get(name, default).strip()


def flag(name: str, default: bool = False) -> bool:
    value = text(name, "1" if default else "0").lower()
    if value in ("1", "true", "yes", "on"):
        return True
    if value in ("", "0", "false", "no", "off"):
        return False
    raise ImproperlyConfigured(f"{name} is {value!r}; set it to 1 or 0.")


def number(name: str, default: float, minimum: float = 0.0) -> float:
    value = text(name, str(default))
    try:
        result = float(value)
    except ValueError:
        raise ImproperlyConfigured(f"{name} is {value!r}; set it to a number.") from None
    if not minimum <= result < float("inf"):
        raise ImproperlyConfigured(f"{name} is {value}; set it to a finite number of at least {minimum:g}.")
    return result


def optional_count(name: str) -> int | None:
    """A whole number of at least 1; None where the variable is not set."""
    if not (value := text(name)):
        return None
    if not value.isdecimal() or int(value) < 1:
        raise ImproperlyConfigured(f"{name} is {value!r}; set it to a whole number of at least 1, or unset it.")
    return int(value)


def labels(name: str) -> list[str]:
    """Words with commas between, each once."""
    found = list(dict.fromkeys(listing(name)))
    for label in found:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}", label):
            raise ImproperlyConfigured(
                f"{name} has {label!r}; a label has up to 40 letters, digits, _, . and -, such as a100 or fast-disk."
            )
    return found


def listing(name: str) -> list[str]:
    return [part.strip() for part in text(name).split(",") if part.strip()]


# --- where the state lives --------------------------------------------------------------------------------------------
STATE_DIR = Path(text("HPWEB_HOME") or BASE_DIR / ".hpweb").resolve()
ARTIFACT_DIR = Path(text("HPWEB_ARTIFACT_DIR") or STATE_DIR / "artifacts").resolve()  # shared by all hosts
STATE_DIR.mkdir(parents=True, exist_ok=True, mode=0o700)


def secret_key() -> str:
    """HPWEB_SECRET_KEY, or a random key made once and kept in the state directory, readable by its owner only."""
    if given := text("HPWEB_SECRET_KEY"):
        return given
    path = STATE_DIR / "secret_key"
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        pass
    else:
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_urlsafe(50))
    key = path.read_text().strip()
    if len(key) < 32:
        raise ImproperlyConfigured(
            f"{path} holds no usable key; delete the file and start again (people sign in anew)."
        )
    return key


SECRET_KEY = secret_key()
DEBUG = flag("HPWEB_DEBUG")
ALLOWED_HOSTS = listing("HPWEB_ALLOWED_HOSTS") or ["localhost", "127.0.0.1", "[::1]"]
CSRF_TRUSTED_ORIGINS = listing("HPWEB_TRUSTED_ORIGINS")

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "axes",
    "django_q",
    "tuning",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "tuning.web.security.ContentSecurityPolicy",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "tuning.web.security.PasswordChangeRequired",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "hpweb.urls"
WSGI_APPLICATION = "hpweb.wsgi.application"
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
            ],
            "builtins": ["tuning.web.templatetags.display"],
        },
    }
]

# --- database ---------------------------------------------------------------------------------------------------------
DATABASES: dict[str, Any] = {
    "default": dj_database_url.parse(
        text("DATABASE_URL") or f"sqlite:///{STATE_DIR / 'hpweb.sqlite3'}", conn_max_age=600, conn_health_checks=True
    )
}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # IMMEDIATE: a transaction that reads and then writes takes the write lock at its start; without it SQLite answers
    # "database is locked" at once when two of them meet, whatever the timeout says.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
else:
    # An unreachable server must be noticed before a lease can end, not after the kernel's minutes.
    DATABASES["default"].setdefault("OPTIONS", {}).update(
        connect_timeout=5, tcp_user_timeout=15_000, keepalives_idle=5, keepalives_interval=3, keepalives_count=3
    )
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "OPTIONS": {"MAX_ENTRIES": 2000}}}

# --- people -----------------------------------------------------------------------------------------------------------
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_LOCKOUT_TEMPLATE = "registration/locked_out.html"
AXES_DISABLE_ACCESS_LOG = True
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "studies"
LOGOUT_REDIRECT_URL = "login"
SECURE_COOKIES = flag("HPWEB_HTTPS")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_COOKIES
SECURE_SSL_REDIRECT = SECURE_COOKIES
SECURE_HSTS_SECONDS = 31_536_000 if SECURE_COOKIES else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if flag("HPWEB_BEHIND_PROXY") else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

# --- language, time, static files -------------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
TIME_ZONE = text("HPWEB_TIME_ZONE", "UTC")
USE_TZ = True
USE_I18N = False
STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = STATE_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

# --- REST -------------------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "tuning.api.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_THROTTLE_CLASSES": ["rest_framework.throttling.UserRateThrottle"],
    "DEFAULT_THROTTLE_RATES": {"user": text("HPWEB_API_RATE", "6000/min")},
    "EXCEPTION_HANDLER": "tuning.api.errors.problem_response",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "hpweb",
    "VERSION": "1",
    "DESCRIPTION": "Tune deep-learning models: studies, trials, metric curves.",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {  # four sets of words are called "state"
        "StudyState": "tuning.api.serializers.studies.STATES",
        "TrialState": "tuning.api.serializers.trials.STATES",
        "TrialEnding": "tuning.api.serializers.scripts.ENDINGS",
        "JobStage": "tuning.api.serializers.jobs.STATES",
    },
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 8 * 1024 * 1024

# --- workers: django-q2 wakes workers up; our tables own state, leases and deadlines ----------------------------------
HOST_NAME = text("HPWEB_HOST") or socket.gethostname()
SLOTS = int(number("HPWEB_SLOTS", 0))  # CPU slots of this host; 0: one per core where there is no GPU
TRIALS_PER_GPU = max(1, int(number("HPWEB_TRIALS_PER_GPU", 1, 1)))  # slots of each GPU of this host
FREE_DISK_MB = number("HPWEB_FREE_DISK_MB", 512)  # below it no trial starts here: its checkpoints would not fit; 0: off
CHECKPOINT_DISK_MB = number("HPWEB_CHECKPOINT_DISK_MB", 0)  # of kept checkpoints in all; 0: no limit
LABELS = labels("HPWEB_LABELS")  # what workloads may require of this host, beside memory
MAX_RUNNING = optional_count("HPWEB_MAX_RUNNING")  # trials of one person on workers at once; None: any number
LAUNCHER = "tuning.workers.local.LocalLauncher"  # how trial processes are run: tuning/workers/launcher.py
WARM_SECONDS = number("HPWEB_WARM_SECONDS", 30)  # how long a trial process waits for its slot's next job; 0: not at all
WARM_TRIALS = int(number("HPWEB_WARM_TRIALS", 100, 1))  # jobs that one process serves at most
WARM_GROWTH_MB = number("HPWEB_WARM_GROWTH_MB", 512)  # growth of its memory since its first job that ends it
LEASE_SECONDS = number("HPWEB_LEASE_SECONDS", 30, 1)
HEARTBEAT_SECONDS = number("HPWEB_HEARTBEAT_SECONDS", 5, 0.1)
CONTROL_SECONDS = number("HPWEB_CONTROL_SECONDS", 0.4, 0.05)  # how often a worker looks for a cancel, a pause, a drain
FLUSH_SECONDS = number("HPWEB_FLUSH_SECONDS", 0.5, 0.05)
GRACE_SECONDS = number("HPWEB_GRACE_SECONDS", 30)
JOB_SECONDS = {  # how long a job of each kind may run
    "describe": number("HPWEB_DESCRIBE_SECONDS", 120, 1),
    "split": number("HPWEB_SPLIT_SECONDS", 1800, 1),
    "lr_range": number("HPWEB_LR_RANGE_SECONDS", 1800, 1),
    "preflight": number("HPWEB_PREFLIGHT_SECONDS", 600, 1),
    "finalise": number("HPWEB_FINALISE_SECONDS", 7 * 24 * 3600, 1),
}
if LEASE_SECONDS < 3 * HEARTBEAT_SECONDS:
    raise ImproperlyConfigured(
        f"HPWEB_LEASE_SECONDS ({LEASE_SECONDS:g}) must be at least three heartbeats ({HEARTBEAT_SECONDS:g} s each)."
    )
if DATABASES["default"]["ENGINE"] == "django.db.backends.postgresql":
    # A host that is cut off in the middle of a transaction would hold its study's row, and with it all hosts, until the
    # server's kernel gives the connection up: for two hours. It may do so for as long as its lease.
    given = DATABASES["default"]["OPTIONS"].get("options", "")
    limit = f"-c idle_in_transaction_session_timeout={int(LEASE_SECONDS * 1000)}"
    DATABASES["default"]["OPTIONS"]["options"] = f"{given} {limit}".strip()
WORKLOADS = text("HPWEB_WORKLOADS")
WORKLOAD_DIR = text("HPWEB_WORKLOAD_DIR")
DATA_DIR = text("HPWEB_DATA_DIR")
PROGRAMS = text("HPWEB_PROGRAMS")  # the administrator's file of allowed programs; empty: programs.toml in HPWEB_HOME
if PROGRAMS and not Path(PROGRAMS).is_file():
    raise ImproperlyConfigured(f"HPWEB_PROGRAMS names {PROGRAMS}, which is not a file; write it or unset the variable.")
REDIS_URL = text("HPWEB_REDIS_URL")
WORKER_QUEUE_PREFIX = "hpweb-"  # one queue per host: hpweb-<host name>
# django-q2 warns whenever there is no timeout; deadlines are ours, and a retry never comes before 31 days.
warnings.filterwarnings("ignore", message="Retry and timeout are misconfigured")
Q_CLUSTER: dict[str, Any] = {
    "name": "hpweb",
    "workers": max(1, int(number("HPWEB_CLUSTER_WORKERS", 1))),  # the supervisor sets it to the number of slots
    "queue_limit": 1,
    "bulk": 1,
    "timeout": None,
    "retry": 2_678_400,
    "ack_failures": True,
    "max_attempts": 1,
    "poll": 0.2,
    "guard_cycle": 0.5,
    "save_limit": 200,
    "catch_up": False,
    "scheduler": False,
    "ALT_CLUSTERS": {},
    "log_level": "WARNING",
    **({"redis": REDIS_URL} if REDIS_URL else {"orm": "default"}),
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": text("HPWEB_LOG_LEVEL", "INFO")},
    "loggers": {
        "django-q": {"level": "WARNING"},
        "axes": {"level": "WARNING"},
        "django.request": {"level": "ERROR"},
    },
}
