"""`manage.py seed_trials`: fill a study with made trials, for every test of scale."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tuning.models import Study
from tuning.selectors.people import first_administrator
from tuning.selectors.studies import study_now
from tuning.services.errors import ServiceError
from tuning.services.made import make_trials
from tuning.services.studies import create_study

SPACE: dict[str, Any] = {
    "lr": {"type": "float", "low": 1e-5, "high": 0.1, "log": True},
    "weight_decay": {"type": "float", "low": 1e-6, "high": 0.01, "log": True},
    "dropout": {"type": "float", "low": 0.0, "high": 0.7},
    "optimizer": {"type": "categorical", "choices": ["sgd", "adamw"]},
    "momentum": {"type": "float", "low": 0.0, "high": 0.99, "when": {"optimizer": ["sgd"]}},
    "layers": {"type": "int", "low": 1, "high": 4},
    "units": {"type": "int", "low": 16, "high": 512, "log": True},
    "batch_size": {"type": "categorical", "choices": [32, 64, 128]},
}


class Command(BaseCommand):
    help = "Add made trials (not results!) to a study, or to a new one of 8 parameters, to see hpweb at scale."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("n", type=int, help="how many trials, 1 to 1,000,000")
        parser.add_argument("--study", type=int, help="id of a study that does not run; left out: a new study")
        parser.add_argument("--name", help="name of the new study")
        parser.add_argument("--steps", type=int, default=20, help="points of each curve")
        parser.add_argument("--seed", type=int, default=0)

    def handle(self, *args: Any, **options: Any) -> None:
        n = options["n"]
        if not 1 <= n <= 1_000_000 or not 1 <= options["steps"] <= 10_000:
            raise CommandError("Give 1 to 1,000,000 trials and 1 to 10,000 steps.")
        try:
            study = self.study_for(options)
            seconds = make_trials(study_id=study.pk, n=n, steps=options["steps"], seed=options["seed"])
        except ServiceError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"Study {study.pk}, “{study.name}”: {n:,} made trials in {seconds:.1f} s.")

    def study_for(self, options: dict[str, Any]) -> Study:
        if options["study"] is not None:
            return study_now(options["study"])
        owner = first_administrator()
        if owner is None:
            raise CommandError("There is no administrator yet to own the study; run `manage.py demo` first.")
        return create_study(
            owner=owner,
            name=options["name"] or f"{options['n']:,} made trials",
            space=SPACE,
            metric="validation/loss",
            n_trials=options["n"],
            max_resource=options["steps"],
            seed=options["seed"],
            description="Made trials, for tests of scale. These are no results.",
        )
