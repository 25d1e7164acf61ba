"""hpweb's settings with the storm's own app, which puts the fake runner in the place of the real one.

CHAOS_CLOCK    seconds by which the clocks of the workers are wrong
CHAOS_FENCES   "0" takes the fence check out of the services: the verdict must notice
CHAOS_FROZEN_SECONDS  how long the supervisor lets a frozen worker hold a slot, where it is not to end it
"""

import os

from hpweb.settings import *  # noqa: F403
from hpweb.settings import INSTALLED_APPS as WITHOUT_STORM

INSTALLED_APPS = [*WITHOUT_STORM, "tests.chaos.apps.ChaosConfig"]
CHAOS_CLOCK = float(os.environ.get("CHAOS_CLOCK", "0"))
CHAOS_FENCES = os.environ.get("CHAOS_FENCES", "1") == "1"
CHAOS_FROZEN_SECONDS = float(os.environ.get("CHAOS_FROZEN_SECONDS", "0"))
