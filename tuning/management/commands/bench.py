"""`manage.py bench NAME`: measure, print a table and its marks; a missed mark exits non-zero."""

from importlib import import_module
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

BENCHES = (
    "samplers", "asks", "fidelity", "worth", "runtime", "chaos", "preflight", "advice", "advised", "importance",
    "regularisation",
)  # fmt: skip
OWN_OPTIONS = {  # of one bench each: (bench, help)
    "kills": ("chaos", "how many disturbances on each database"),
    "seed": ("chaos", "of the order and the victims of the disturbances"),
}


class Command(BaseCommand):
    help = "Run a benchmark. Peers come from requirements-bench.txt; what is not installed is left out, with one line."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", choices=BENCHES)
        parser.add_argument("--quick", action="store_true", help="under a minute; never decides a mark")
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.add_argument("--output", type=Path, help="also write the JSON to this file")
        for name, (bench, words) in OWN_OPTIONS.items():
            parser.add_argument(f"--{name}", type=int, help=f"{bench}: {words}")

    def handle(self, *args: Any, **options: Any) -> None:
        own = {name: options[name] for name in OWN_OPTIONS if options[name] is not None}
        for name in own:
            if OWN_OPTIONS[name][0] != options["name"]:
                raise CommandError(
                    f"--{name} is an option of `bench {OWN_OPTIONS[name][0]}`, not of {options['name']}."
                )
        report = import_module(f"tests.benchmarks.{options['name']}").run(quick=options["quick"], **own)
        if options["output"]:
            options["output"].write_text(report.to_json() + "\n")
        self.stdout.write(report.to_json() if options["json"] else report.to_text())
        if not report.met and not options["quick"]:
            raise CommandError("A mark was missed; it is marked above.")
