"""Fixtures for every test: the three people, and databases as the environment names them."""

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import connection

from tests.factories import make_user

# Tests of whole installations hold them to seconds that a machine with two cores keeps only when it runs one of them.
ALONE = (
    "tests/chaos/",
    "tests/e2e/",
    "tests/team/",
    "tests/test_readme_services.py",
    "tests/workers/test_cluster.py",
    "tests/benchmarks/test_installation.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One process runs the tests of whole installations, first and in turn; other files go to whoever is free.

    Files are the groups that `--dist loadgroup` keeps on one process, since theirs share a browser or a server.
    """
    items.sort(key=lambda item: not item.nodeid.startswith(ALONE))
    for item in items:
        name = "installations" if item.nodeid.startswith(ALONE) else item.nodeid.partition("::")[0]
        item.add_marker(pytest.mark.xdist_group(name))


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
