"""Fixtures for every test: the three people, and databases as the environment names them."""

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import connection
from hypothesis import settings as hypothesis_settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from tests.factories import make_user

# The same examples on every run: a change is judged by what it changed. New ones are looked at by
# `dev.py test --hypothesis-profile=default` and a folder.
hypothesis_settings.register_profile("same", derandomize=True)
hypothesis_settings.load_profile("same")

# Tests of whole installations hold them to seconds that a machine with two cores keeps only when it runs one of them.
ALONE = (
    "tests/chaos/",
    "tests/e2e/",
    "tests/team/",
    "tests/test_readme_services.py",
    "tests/workers/test_cluster.py",
    "tests/benchmarks/test_installation.py",
)


class ByInstallationAndFile(LoadScopeScheduling):
    """One process runs the tests of whole installations, in turn; other files go to whoever is free, each as a whole,
    since the tests of one share a browser or a server."""

    def _split_scope(self, nodeid: str) -> str:
        return "installations" if nodeid.startswith(ALONE) else nodeid.partition("::")[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByInstallationAndFile | None:
    """With `--dist loadfile`."""
    return ByInstallationAndFile(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first, after pytest-django has made its own order."""
    items.sort(key=lambda item: not item.nodeid.startswith(ALONE))


@pytest.fixture(autouse=True)
def _fresh_cache() -> None:
    cache.clear()


@pytest.fixture(autouse=True)
def _state_folder(settings, tmp_path) -> None:
    """Files of a test stay in its own folder."""
    settings.STATE_DIR = tmp_path
    settings.ARTIFACT_DIR = tmp_path / "artifacts"
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # quick: hundreds of accounts
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker) -> None:
    """Transactional tests empty all tables; on SQLite that is a DELETE, which append-only tables would refuse."""
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("DROP TRIGGER IF EXISTS tuning_auditevent_no_delete")
            cursor.execute("DROP TRIGGER IF EXISTS tuning_reveal_no_delete")


@pytest.fixture
def alice(db) -> User:
    """Owns what the test is about."""
    return make_user("alice")


@pytest.fixture
def bob(db) -> User:
    """A team mate: may look at the team's studies, not change Alice's."""
    return make_user("bob")


@pytest.fixture
def charlie(db) -> User:
    """Has an account and nothing to do with it: is refused."""
    return make_user("charlie")


@pytest.fixture
def admin(db) -> User:
    return make_user("admin", staff=True)

