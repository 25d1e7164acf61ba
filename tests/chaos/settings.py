"""hpweb's settings with the storm's own app, which puts the fake runner in the place of the real one.

CHAOS_CLOCK    seconds by which the clocks of the workers are wrong
CHAOS_FENCES   "0" takes the fence check out of the services: the verdict must notice
"""

import os

from hpweb.settings import *  # noqa: F403
from hpweb.settings import INSTALLED_APPS as WITHOUT_STORM

INSTALLED_APPS = [*WITHOUT_STORM, "tests.chaos.apps.ChaosConfig"]
CHAOS_CLOCK = float(os.environ.get("CHAOS_CLOCK", "0"))
CHAOS_FENCES = os.environ.get("CHAOS_FENCES", "1") == "1"
