"""`manage.py lr_find WORKLOAD`: which learning rates train, found here and now, whether workers run or not."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tuning.selectors.errors import NotFound
from tuning.selectors.lr_ranges import HIGH, LOW, SEED, STEPS, narrowed_entry
from tuning.selectors.workloads import workload_named
from tuning.services.errors import Invalid
from tuning.services.lr_ranges import plan_lr_range
from tuning.workers.describing import DescribeFailed, describe_here
from tuning.workers.lr_finding import RangeTestFailed, find_here


class Command(BaseCommand):
    help = (
        "Train a fresh model of a PyTorch workload for some steps at learning rates that rise, and print the range in "
        "which its loss falls. Runs in a process of its own on this machine's first GPU, or on its cores; no worker is "
        "needed, and nothing is stored."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("workload")
        parser.add_argument("--param", action="append", default=[], metavar="NAME=VALUE", help="may be repeated")
        parser.add_argument("--optimizer", help="the same as --param optimizer=...")
        parser.add_argument("--overlay", metavar="NAME=VALUE,VALUE", help="a curve for each, as batch_size=16,64,256")
        parser.add_argument("--low", type=float, default=LOW, help=f"the first learning rate ({LOW:g})")
        parser.add_argument("--high", type=float, default=HIGH, help=f"the last one ({HIGH:g})")
        parser.add_argument("--steps", type=int, default=STEPS, help=f"batches of each curve ({STEPS})")
        parser.add_argument("--seed", type=int, default=SEED)
        parser.add_argument("--cpu", action="store_true", help="on the cores, though there is a GPU")
        parser.add_argument("--json", action="store_true", help="print one JSON object, with all losses")

    def handle(self, *args: Any, **options: Any) -> None:
        params = dict(_assigned("--param", text) for text in options["param"])
        if options["optimizer"]:
            params["optimizer"] = options["optimizer"]
        overlay = dict([_listed(options["overlay"])]) if options["overlay"] else None
        try:
            workload = _workload(options["workload"])
            chosen = {name: options[name] for name in ("low", "high", "steps", "seed")}
            plan = plan_lr_range(workload, params=params, overlay=overlay, **chosen)
            answer = find_here(plan, cpu=options["cpu"])
        except (Invalid, NotFound, DescribeFailed, RangeTestFailed) as error:
            raise CommandError(str(getattr(error, "message", error))) from error
        except KeyboardInterrupt:
            raise SystemExit(130) from None
        entry = (workload.document.get("space") or {}).get(plan["parameter"])
        if options["json"]:
            self.stdout.write(json.dumps(_document(plan, answer, entry)))
        else:
            self._print(plan, answer, entry)

    def _print(self, plan: dict[str, Any], answer: dict[str, Any], entry: dict[str, Any] | None) -> None:
        for curve in answer["curves"]:
            name = f"{curve['label']}: " if curve["label"] else ""
            if curve["bracket"]:
                low, high = curve["bracket"]
                line = f"{name}trains from {low:.2g}, falls fastest at {high:.2g}, least loss at {curve['lowest']:.2g}"
                if entry is not None:
                    new = narrowed_entry(entry, (low, high))
                    line += f"; search {plan['parameter']} from {new['low']:g} to {new['high']:g}"
                    line += " on a log scale" if new.get("log") else f" in steps of {new['step']:g}"
                self.stdout.write(f"{line}.")
            else:
                self.stdout.write(f"{name}no suggestion. {curve['reason']}")
            if curve["note"]:
                self.stdout.write(f"  {curve['note']}")
        self.stdout.write(f"{plan['steps']} steps a curve, {answer['seconds']:.1f} s on {answer['device']}.")


def _workload(name: str) -> Any:
    """The workload as a worker described it; where none has, this machine looks. Raises NotFound, DescribeFailed."""
    try:
        return workload_named(name)
    except NotFound:
        describe_here()
        return workload_named(name)


def _assigned(option: str, text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise CommandError(f"{option} {text}: write it like {option} dropout=0.2.")
    return name, _value(value)


def _listed(text: str) -> tuple[str, list[Any]]:
    name, equals, values = text.partition("=")
    if not (name and equals and values):
        raise CommandError(f"--overlay {text}: write it like --overlay batch_size=16,64,256.")
    return name, [_value(value) for value in values.split(",")]


def _value(text: str) -> Any:
    """A JSON value, or the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _document(plan: dict[str, Any], answer: dict[str, Any], entry: dict[str, Any] | None) -> dict[str, Any]:
    """What --json prints: the plan, and each curve with the entry of its range."""
    curves = [
        {**curve, "entry": narrowed_entry(entry, tuple(curve["bracket"])) if entry and curve["bracket"] else None}
        for curve in answer["curves"]
    ]
    kept = {name: plan[name] for name in ("workload", "parameter", "low", "high", "steps", "seed", "overlay")}
    return {**kept, "curves": curves, "device": answer["device"], "seconds": answer["seconds"]}
