"""What every test of the workers starts from."""

import pytest


@pytest.fixture(autouse=True)
def _no_waiting(settings) -> None:
    """A task ends when there is no work, unless the test is about warm processes."""
    settings.WARM_SECONDS = 0
