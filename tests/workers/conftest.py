"""What every test of the workers starts from."""

import threading

import pytest

from tuning.workers.patience import Watch


@pytest.fixture(autouse=True)
def _no_waiting(settings) -> None:
    """A task ends when there is no work, unless the test is about warm processes."""
    settings.WARM_SECONDS = 0


@pytest.fixture(autouse=True)
def _no_watch_outlives_its_test(monkeypatch):
    """A run that a test takes step by step stops no watch; that would speak up when pytest has closed its stream."""
    started: list[Watch] = []
    start = Watch.start

    def noted(watch: Watch) -> None:
        started.append(watch)
        start(watch)

    monkeypatch.setattr(Watch, "start", noted)
    yield
    for watch in started:
        watch.stop()
    assert [thread.name for thread in threading.enumerate() if "watch" in thread.name] == []
