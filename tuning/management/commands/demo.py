"""`manage.py demo`: an administrator, a study on real data, and with --watch its progress to the end."""

import secrets
import sys
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from tuning.models import Study
from tuning.selectors.people import first_administrator
from tuning.selectors.preflights import standing_of
from tuning.selectors.studies import study_facts, study_named, study_now
from tuning.selectors.trials import leaderboard
from tuning.selectors.workloads import describe_pending, workload_list
from tuning.services.accounts import create_admin
from tuning.services.jobs import request_describe
from tuning.services.lifecycle import start_study
from tuning.services.studies import create_study

USERNAME = "admin"
STUDY: dict[str, Any] = {
    "name": "digits CNN, first look",
    "description": "Handwritten digits, 8 by 8 pixels: the study that the demonstration trains.",
    "workload": "digits_cnn",
    "n_trials": 12,
    "parallel": 2,
    "max_resource": 12,
    "seed": 0,
    "space": {  # small models alone, so that a trial takes seconds on a core
        "lr": {"type": "float", "low": 1e-4, "high": 0.3, "log": True},
        "optimizer": {"type": "categorical", "choices": ["sgd", "adamw"]},
        "momentum": {"type": "float", "low": 0.0, "high": 0.98, "when": {"optimizer": ["sgd"]}},
        "schedule": {"type": "categorical", "choices": ["none", "cosine", "onecycle"]},
        "batch_size": {"type": "int", "low": 16, "high": 128, "log": True},
        "weight_decay": {"type": "float", "low": 1e-6, "high": 0.1, "log": True},
        "l1": {"type": "float", "low": 1e-7, "high": 1e-3, "log": True},
        "dropout": {"type": "float", "low": 0.0, "high": 0.6},
        "augment": {"type": "float", "low": 0.0, "high": 1.0},
        "filters": {"type": "int", "low": 8, "high": 32, "log": True},
        "layers": {"type": "int", "low": 1, "high": 3},
    },
}
WAIT_SECONDS = 120.0


class Command(BaseCommand):
    help = "Seed the demonstration: an administrator, and a study of a small CNN on scikit-learn's digits, started."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--watch", action="store_true", help="show the study's progress and its leaderboard")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self.seed_and_watch(options["watch"])
        except KeyboardInterrupt:
            raise SystemExit(130) from None

    def seed_and_watch(self, watch: bool) -> None:
        owner = first_administrator()
        if owner is None:
            password = secrets.token_urlsafe(9)
            owner = create_admin(username=USERNAME, password=password, must_change=True)
            self.stdout.write(
                f"  Sign in as {USERNAME} with the password {password}\n"
                "  It is shown only now, and you choose your own at the first sign-in.\n"
            )
        study = study_named(STUDY["name"])
        if study is None:
            self.stdout.write("  Looking for workloads …")
            self.wait_for_workloads()
            study = create_study(owner=owner, **STUDY)
        if study.state == Study.State.READY:
            study = start_study(study_id=study.pk, actor=owner)
            first = "checked before tuning, and then trained," if study.state == Study.State.READY else "trained"
            self.stdout.write(f"  The study “{study.name}” is {first} by this machine's workers.\n")
        if watch:
            self.watch(study)

    def wait_for_workloads(self) -> None:
        """Let a worker describe the workloads, and wait for it."""
        if not workload_list():
            request_describe(actor=None)
        deadline = time.monotonic() + WAIT_SECONDS
        while not any(row.name == STUDY["workload"] for row in workload_list()):
            if time.monotonic() > deadline:
                pending = "is still waiting for one" if describe_pending() else "has failed; see the workloads page"
                raise CommandError(
                    f"No worker has described the workloads; the job {pending}. Is `manage.py worker` running?"
                )
            time.sleep(0.2)

    def watch(self, study: Study) -> None:
        """Draw a progress bar until the study has ended, then print the leaderboard."""
        interactive = sys.stdout.isatty()
        shown = ""
        while True:
            study = study_now(study.pk)
            line = progress_line(study)
            if line != shown:
                self.stdout.write(f"\r\x1b[K{line}" if interactive else line, ending="" if interactive else "\n")
                self.stdout.flush()
                shown = line
            waits = study.state == Study.State.READY and study.starts_for_id is not None
            if not waits and study.state != Study.State.RUNNING:
                break
            connection.close()
            time.sleep(0.5)
        self.stdout.write("\n")
        if study.state != Study.State.FINISHED:
            raise CommandError(
                f"The study is {study.state.lower()}: {study.state_reason or 'it was changed meanwhile'}."
            )
        self.print_leaderboard(study)
        if study.n_complete == 0:
            raise CommandError("No trial was completed; the trials' pages say why.")

    def print_leaderboard(self, study: Study) -> None:
        rows = leaderboard(study, limit=12).rows
        names = list(study.space.document) if study.space else []
        table = [["#", "trial", study.metric, "state", *names]]
        for place, trial in enumerate(rows, 1):
            value = f"{trial.value:.4g}" if trial.value is not None else trial.value_kind or "-"
            table.append(
                [
                    str(place),
                    str(trial.number),
                    value,
                    trial.state.lower(),
                    *(shown_value(trial.params[name]) if name in trial.params else "" for name in names),
                ]
            )
        widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
        for row in table:
            self.stdout.write("  ".join(word.rjust(width) for word, width in zip(row, widths, strict=True)))


def shown_value(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def progress_line(study: Study) -> str:
    """One line: a bar, trials done, best so far, time left; before the start, how far its checks are."""
    if study.state == Study.State.READY:
        preflight = standing_of(study).preflight
        return f"checks before tuning: {len(preflight.checks) if preflight else 0} done"
    facts = study_facts(study)
    total = facts.total or facts.done
    filled = round(24 * facts.done / total) if total else 0
    best = (
        f"best {facts.best_value:.4g} (trial {facts.best_trial_number})"
        if facts.best_value is not None
        else "no value yet"
    )
    left = "" if facts.seconds_left is None else f", {facts.seconds_left:.0f} s left"
    failed = f", {facts.failed} failed" if facts.failed else ""
    return f"[{'#' * filled}{'.' * (24 - filled)}] {facts.done} of {total} trials{failed}, {best}{left}"
