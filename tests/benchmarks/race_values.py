"""What the races came to: the peers' kept in race_peers.json, our own of an interrupted run in the state folder.

`python -m tests.benchmarks.race_values` runs what is missing of the peers that are installed (`--contender` and
`--problem`, both repeatable, restrict it; one process unless `--processes N` says otherwise) and writes after every
race, so a run that is interrupted is resumed by the same command.

The file is one of peer_values' form: by package and version, by contender, by problem and by seed, the epochs until the
incumbent was truly best, and then until it was among trials run to their end; what never came to be is missing.
"""

import argparse
import hashlib
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from threadpoolctl import threadpool_limits

from tests.benchmarks.contenders import installed
from tests.benchmarks.kept import digest_of
from tests.benchmarks.peer_values import Stored, alone, dump, key_of, load
from tests.benchmarks.race_contenders import OURS, PEERS
from tests.benchmarks.races import ETA, REAL, SHARE, SINGLE, SYNTHETIC, Over, Track, problem_named
from tests.benchmarks.searches import REPORT_SEED, play_each
from tuning.engine import SearchSpace

PATH = Path(__file__).with_name("race_peers.json")
PROBLEMS = (*REAL, *SINGLE, *SYNTHETIC)
DESIGN_SEEDS = range(10)
SEEDS = range(REPORT_SEED, REPORT_SEED + 30)
SHOWN_SECONDS = 20.0  # between two lines of progress
Outcomes = dict[str, dict[str, dict[int, list[float]]]]  # problem -> contender -> seed -> found, finished


@dataclass(frozen=True)
class Race:
    problem: str
    contender: str
    seed: int


def run_race(race: Race) -> list[float]:
    """The epochs until the incumbent was truly best, and until one run to its end was; as far as it came."""
    problem = problem_named(race.problem)
    track = Track(problem, race.seed)
    contender = OURS[race.contender] if race.contender in OURS else PEERS[race.contender].race
    with threadpool_limits(1):
        try:
            contender(problem, race.seed, track)
        except Over:
            return [float(epochs) for epochs in (track.found, track.finished) if epochs is not None]
    raise RuntimeError(f"{race.contender} gave up on {race.problem} after {track.epochs} epochs")


def races_of(contenders: Sequence[str], problems: Sequence[str], seeds: Sequence[int]) -> list[Race]:
    return [Race(problem, name, seed) for problem in problems for name in contenders for seed in seeds]


@cache
def fingerprint(name: str) -> str | None:
    """A hash of what a race on this problem depends on, but for the contender; None for an unknown problem."""
    if name not in PROBLEMS:
        return None
    problem = problem_named(name)
    digest = hashlib.sha256(SearchSpace.from_json(problem.space).digest().encode())
    digest.update(f"{SHARE} {ETA} {problem.most} {problem.losses.shape}".encode())
    digest.update(problem.losses.astype("<f4").tobytes())
    return digest.hexdigest()[:16]


class RaceFile:
    """Outcomes in a file, under a key for each contender; path None: none are kept."""

    def __init__(self, path: Path | None, key_for: Callable[[str], str | None]) -> None:
        self.path, self._key_for = path, key_for
        self.stored: Stored = load(path, fingerprint) if path is not None else {}

    def find(self, race: Race) -> list[float] | None:
        by_contender = self.stored.get(self._key_for(race.contender) or "", {})
        return by_contender.get(race.contender, {}).get(race.problem, {}).get(str(race.seed))

    def keep(self, race: Race, found: list[float]) -> None:
        """Add an outcome; a reader of the file sees it before or after, never between."""
        if self.path is None:
            return
        key = self._key_for(race.contender)
        if key is None:
            raise LookupError(f"nobody knows the version of {race.contender}")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with alone(self.path):
            self.stored = load(self.path, fingerprint)
            seeds = self.stored.setdefault(key, {}).setdefault(race.contender, {}).setdefault(race.problem, {})
            seeds[str(race.seed)] = found
            fresh = self.path.with_suffix(".new")
            fresh.write_text(dump(self.stored, fingerprint))
            fresh.replace(self.path)


def peers_file(path: Path | None = PATH) -> RaceFile:
    """The committed file: the installed version's outcomes, else those of the newest version that has some."""
    stored = load(path, fingerprint) if path is not None else {}
    return RaceFile(path, lambda contender: key_of(PEERS[contender].package, stored))


def own_file(folder: Path) -> RaceFile:
    """Our own races of this very code, tables and libraries."""
    here = Path(__file__)
    files = [here.with_name(f"{name}.py") for name in ("curve_families", "learning_curves", "race_contenders", "races")]
    files += here.with_name("curves").glob("*.npz")
    return RaceFile(folder / f"fidelity-{digest_of(without=(), files=files)}.json", lambda contender: "hpweb here")


def outcomes_of(
    races: Sequence[Race], file: RaceFile, processes: int, *, may_run: Callable[[str], bool] = lambda contender: True
) -> tuple[Outcomes, list[str]]:
    """What the file has of these races and, of contenders that may run, what it had not; a line for each that failed.

    The races of our own file must all succeed: see `failed`.
    """
    outcomes: Outcomes = {}
    failed: list[str] = []
    missing = []
    for race in races:
        found = file.find(race)
        if found is not None:
            outcomes.setdefault(race.problem, {}).setdefault(race.contender, {})[race.seed] = found
        elif may_run(race.contender):
            missing.append(race)
    done, shown = 0, time.monotonic()

    def ended(race: Race, found: list[float] | BaseException) -> None:
        nonlocal done, shown
        done += 1
        if isinstance(found, BaseException):
            failed.append(f"{race.contender} failed on {race.problem}, seed {race.seed}: {found!r}")
            return
        outcomes.setdefault(race.problem, {}).setdefault(race.contender, {})[race.seed] = found
        file.keep(race, found)
        if time.monotonic() - shown > SHOWN_SECONDS:
            shown = time.monotonic()
            print(f"{done}/{len(missing)}: {race.contender}, {race.problem}, {race.seed}", file=sys.stderr, flush=True)

    if missing:
        play_each(run_race, missing, processes, ended)
    return outcomes, failed


def peer_outcomes(
    problems: Sequence[str], seeds: Sequence[int], processes: int, *, path: Path | None = PATH
) -> tuple[Outcomes, dict[str, str], list[str]]:
    """The peers' outcomes, "package version" of each contender that has some, and a line for each that failed."""
    file = peers_file(path)
    outcomes, failed = outcomes_of(
        races_of(list(PEERS), problems, seeds), file, processes, may_run=lambda name: installed(PEERS[name].package)
    )
    have = {contender for by_contender in outcomes.values() for contender in by_contender}
    keys = {name: key_of(PEERS[name].package, file.stored) or "" for name in PEERS if name in have}
    return outcomes, keys, failed


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.race_values", description="Fill race_peers.json.")
    parser.add_argument("--contender", action="append", choices=list(PEERS))
    parser.add_argument("--problem", action="append", choices=PROBLEMS)
    parser.add_argument("--processes", type=int, default=1)
    options = parser.parse_args(arguments)
    races = races_of(options.contender or list(PEERS), options.problem or PROBLEMS, SEEDS)
    _outcomes, failed = outcomes_of(
        races, peers_file(), options.processes, may_run=lambda name: installed(PEERS[name].package)
    )
    print("\n".join(failed), file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
