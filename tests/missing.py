"""What a test needs of its machine and does not find."""

import os
from typing import NoReturn

import pytest


def missing(words: str) -> NoReturn:
    """Skip with these words; fail with them in the check of a clean clone, which has put everything in place."""
    if os.environ.get("HPWEB_TEST_REQUIRE_ALL"):
        pytest.fail(words)
    pytest.skip(words)
