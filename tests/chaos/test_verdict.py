"""The verdict itself: clean tables pass, and each broken promise is named."""

import copy
import json

import pytest

from tests.chaos.causes import RESTART, Stroke, own_restarts
from tests.chaos.ledger import Ledger, Run, runs_of
from tests.chaos.runner import METRIC, WRITER, loss_after
from tests.chaos.storm import idle_spans
from tests.chaos.verdict import judge

STEPS = 8
# trial, fence, slot, pid, step it went on after, source, last step that it reported, when it began, how it ended
RUNS = [
    (0, 1, "1", 10, 0, "", 8, 1.0, "result"),
    (1, 1, "2", 20, 0, "", 6, 1.0, ""),  # killed after step 6, its checkpoint was of step 4
    (1, 2, "2", 21, 4, "last-1-4.json", 8, 3.0, "result"),
    (2, 1, "1", 10, 0, "", 2, 2.5, ""),
    (2, 2, "1", 11, 0, "", 2, 3.5, ""),
    (2, 3, "1", 12, 0, "", 2, 4.5, ""),
    (2, 4, "1", 13, 0, "", 2, 5.5, ""),
]


def story():
    """The runs as a ledger has them."""
    found = []
    for trial, fence, slot, pid, first, source, last, began, ended in RUNS:
        times = {step: began + 0.1 * (step - first) for step in range(first + 1, last + 1)}
        written = {step: time + 0.01 for step, time in times.items() if step % 4 == 0}
        end = began + 0.1 * (last - first) + 0.02
        found.append(Run(trial, fence, slot, pid, 100 + trial, first, source, began, end, times, written, ended))
    return sorted(found, key=lambda run: run.began)


def best(seed, steps=STEPS):
    return min(range(1, steps + 1), key=lambda step: loss_after(seed, step))


def document():
    """What hpweb's tables say of that story where all is well."""
    chunks, curves = [], {}
    for trial, fence, _slot, _pid, first, _source, last, _began, _ended in RUNS:
        steps = list(range(first + 1, last + 1))
        values = {METRIC: [loss_after(100 + trial, step) for step in steps], WRITER: [float(fence)] * len(steps)}
        chunks += [
            {"trial": trial, "fence": fence, "metric": name, "steps": steps, "values": column}
            for name, column in values.items()
        ]
        for name, column in values.items():
            rows = {
                step: value for step, value in zip(*curves.get((trial, name), ([], [])), strict=True) if step <= first
            }
            rows |= dict(zip(steps, column, strict=True))
            curves[trial, name] = [list(rows), list(rows.values())]
    ends = {0: ("COMPLETE", "", 1, 1, 0), 1: ("COMPLETE", "", 2, 2, 1), 2: ("FAILED", "lost_host", 3, 4, 3)}
    values = {number: loss_after(100 + number, best(100 + number)) for number in (0, 1)}
    return {
        "study": {
            "state": "FINISHED", "budget": 3, "finish_seq": 3, "max_retries": 3, "next_number": 3,
            "best": min(values, key=values.get), "counters": {"n_complete": 2, "n_failed": 1, "n_running": 0},
        },
        "trials": [
            {"number": number, "state": state, "reason_code": code, "reason": "", "fence": fence, "retries": retries,
             "seed": 100 + number, "resource": STEPS, "resource_done": STEPS, "finish_seq": seq,
             "value": values.get(number), "value_step": best(100 + number) if number in values else None}
            for number, (state, code, seq, fence, retries) in ends.items()
        ],
        "attempts": [
            {"trial": run[0], "fence": run[1], "slot": run[2], "start_step": run[4],
             "host": "here", "ended": True, "outcome": ""}
            for run in RUNS
        ],
        "chunks": chunks,
        "curves": {
            str(number): {name: curve for (trial, name), curve in curves.items() if trial == number} for number in ends
        },
        "summaries": [
            {"trial": trial, "metric": name, "n": len(curve[0]), "last_step": curve[0][-1]}
            for (trial, name), curve in curves.items()
        ],
    }  # fmt: skip


SAMPLES = [{"created": 1, "budget": 3}, {"created": 3, "budget": 3}]


def test_clean_tables_pass():
    assert judge(document(), story(), SAMPLES) == []


def change(*path_and_value):
    def plant(tables, runs, samples):
        *path, name, value = path_and_value
        for key in path:
            tables = tables[key]
        tables[name] = value

    return plant


def forget_an_attempt(tables, runs, samples):
    del tables["attempts"][1]


def drop_a_point(tables, runs, samples):
    for column in tables["curves"]["1"][METRIC]:
        del column[2]


def keep_a_dead_attempts_point(tables, runs, samples):
    tables["curves"]["1"][WRITER][1][4] = 1.0  # step 5, by the claim that was killed


def store_twice(tables, runs, samples):
    tables["chunks"].append(copy.deepcopy(tables["chunks"][0]))


def store_what_nobody_said(tables, runs, samples):
    tables["chunks"][0]["steps"][-1] = 99


def overlap(tables, runs, samples):
    runs[0].last = 2.6  # process 10 of slot 1 …
    next(run for run in runs if run.trial == 2 and run.fence == 1).pid = 99  # … and another, which began at 2.5


def write_after_the_next_claim(tables, runs, samples):
    zombie = next(run for run in runs if (run.trial, run.fence) == (1, 1))
    zombie.steps[6] = 3.05


def go_on_from_a_zombies_checkpoint(tables, runs, samples):
    runs.append(Run(1, 3, "3", 30, 101, 4, "last-1-4.json", 9.0, 9.1))
    next(run for run in runs if (run.trial, run.fence) == (1, 1)).checkpoints[4] = 3.5
    tables["attempts"].append({**tables["attempts"][2], "fence": 3})
    tables["trials"][1]["fence"] = 3


def exceed_for_a_moment(tables, runs, samples):
    samples.insert(1, {"created": 4, "budget": 3})


@pytest.mark.parametrize(
    ("promise", "plant"),
    [
        ("lost", change("study", "state", "RUNNING")),
        ("lost", change("study", "budget", 4)),
        ("lost", change("trials", 0, "state", "WAITING")),
        ("lost", change("trials", 2, "retries", 2)),
        ("lost", change("trials", 2, "reason_code", "code_error")),
        ("causes", change("trials", 2, "reason_code", "disk_full")),
        ("lost", change("trials", 1, "fence", 1)),
        ("lost", change("attempts", 0, "ended", False)),
        ("twice", change("study", "finish_seq", 4)),
        ("twice", change("trials", 2, "finish_seq", 4)),
        ("points", drop_a_point),
        ("points", change("curves", "0", METRIC, 1, 3, 0.5)),
        ("points", change("trials", 0, "value", 0.5)),
        ("points", keep_a_dead_attempts_point),
        ("points", store_twice),
        ("points", store_what_nobody_said),
        ("points", change("summaries", 0, "n", 7)),
        ("points", change("attempts", 2, "start_step", 5)),
        ("budget", exceed_for_a_moment),
        ("slots", overlap),
        ("fences", write_after_the_next_claim),
        ("fences", go_on_from_a_zombies_checkpoint),
        ("fences", forget_an_attempt),
        ("counters", change("study", "counters", "n_complete", 3)),
        ("counters", change("study", "next_number", 4)),
        ("counters", change("study", "best", 2)),
    ],
)
def test_a_broken_promise_is_named(promise, plant):
    tables, runs, samples = document(), story(), list(SAMPLES)
    plant(tables, runs, samples)
    assert promise in {violation.promise for violation in judge(tables, runs, samples)}


DISK, KILL, FLUSH = "a full disk for some seconds", "kill -9 of a trial process", "FLUSHALL of Redis"
# each loss of the story has its blow
STROKES = [Stroke(KILL, at, at + 0.3) for at in (1.7, 2.8, 3.8, 4.8, 5.8)]


def causes(tables, runs, strokes, samples=SAMPLES):
    return [violation.words for violation in judge(tables, runs, samples, strokes) if violation.promise == "causes"]


def found_full(at):
    """The story where the last claim of trial 2 found the disk full at 5.72 by the ledger, or by samples until `at`."""
    tables, runs = document(), story()
    tables["trials"][2]["reason_code"] = "disk_full"
    if at is None:
        runs[-1].ended = "error"
        return tables, runs, SAMPLES
    seen = [{"at": at - 2.0, "disk_full": []}, {"at": at, "disk_full": [2]}]
    return tables, runs, [SAMPLES[0] | seen[0], SAMPLES[1] | seen[1]]


@pytest.mark.parametrize("at", [None, 7.0])
def test_a_trial_may_find_the_disk_full_only_when_it_was(at):
    tables, runs, samples = found_full(at)
    full = Stroke(DISK, 5.0, 6.0)
    assert judge(tables, runs, samples, [*STROKES, full]) == []
    for strokes in (None, STROKES, [*STROKES, Stroke(DISK, 1.0, 2.0)], [*STROKES, Stroke(DISK, 7.5, 9.0)]):
        assert causes(tables, runs, strokes, samples) == ["trial 2 found the disk full when it was not"]


def test_every_lost_claim_has_a_blow_of_its_own():
    assert judge(document(), story(), SAMPLES, STROKES) == []
    words = causes(document(), story(), [Stroke(KILL, 1.7, 7.0)])
    assert [line.split(" was lost")[0] for line in words] == [f"claim {fence} of trial 2" for fence in (2, 3, 4)], (
        "one blow takes a trial one claim"
    )
    assert len(causes(document(), story(), [])) == 5


def test_a_blow_that_takes_no_process_accounts_for_no_loss():
    spared = [Stroke(FLUSH, stroke.began, stroke.ended) for stroke in STROKES]
    assert len(causes(document(), story(), spared)) == 5


def test_a_cluster_that_is_started_anew_accounts_for_a_loss_unless_a_blow_has_ended_it():
    starts = [Stroke(RESTART, stroke.began, stroke.ended) for stroke in STROKES]
    spared = [Stroke(FLUSH, stroke.began, stroke.ended) for stroke in STROKES]
    assert judge(document(), story(), SAMPLES, spared + own_restarts(starts, spared)) == []
    main = Stroke("kill -9 of the cluster's main", 1.6, 1.8)
    left = own_restarts(starts, [main])
    assert left == starts[1:], "the blow has brought the first one about"
    assert own_restarts([starts[0], *starts], [main, main]) == starts[1:], "as many as there were blows"
    assert causes(document(), story(), [main, *left]) == [], "the blow itself accounts for its loss"
    assert len(causes(document(), story(), left[1:])) == 2


def test_a_loss_is_not_of_a_blow_that_was_over_or_came_later():
    words = causes(document(), story(), [Stroke(KILL, 0.5, 1.5), *STROKES[2:]])
    assert [line.split(" was lost")[0] for line in words] == ["claim 1 of trial 1", "claim 1 of trial 2"]


def test_idle_spans_count_from_when_all_worked():
    def run(began, last):
        return Run(0, 1, "1", 1, 0, 0, "", began, last)

    runs = [run(1.0, 5.0), run(2.0, 3.0), run(3.5, 9.0), run(8.0, 9.5)]
    assert idle_spans(runs, 2) == [(3.0, 3.5), (5.0, 8.0), (9.0, 9.5)]
    assert idle_spans(runs, 1) == [(9.5, 9.5)]


def test_a_ledger_is_read_on_from_where_it_ended_and_waits_for_whole_lines(tmp_path):
    ledger = Ledger(tmp_path)
    key = {"pid": 7, "trial": 0, "fence": 1, "slot": "1"}
    start = json.dumps({"event": "start", "at": 1.0, "step": 0, "source": "", "seed": 5, **key})
    step = json.dumps({"event": "step", "at": 2.0, "step": 1, "value": 0.5, **key})
    path = tmp_path / "7-1"
    path.write_text(f"{start}\n{step[:20]}")
    assert [record["event"] for record in ledger.look()] == ["start"]
    path.write_text(f"{start}\n{step}\n")
    assert [record["event"] for record in ledger.look()] == ["step"]
    assert ledger.look() == []
    (run,) = ledger.runs()
    assert (run.steps, run.last, run.ended) == ({1: 2.0}, 2.0, "")
    with pytest.raises(ValueError, match="without a start"):
        runs_of([json.loads(step)])
