"""On a machine with an NVIDIA GPU: pinning, sharing, memory that runs out, exact resume, and what the driver tells.

    HPWEB_HOME=$(mktemp -d) python3 -m pytest tests/workers/test_cuda.py -p no:cacheprovider -rA

Elsewhere every test skips with one line. Workers never open the GPU: torch runs in the trial processes alone.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.conf import settings as django_settings

from tests.benchmarks.installation import Installation
from tests.factories import make_running, make_workload
from tests.workers.workloads import NAME, SPACE, overload, write_workload
from tuning.models import Attempt, Device, Slot, Trial
from tuning.selectors.curves import trial_curves
from tuning.selectors.hosts import idle_slots
from tuning.services.hosts import register_host
from tuning.services.lifecycle import start_study, stop_study
from tuning.services.studies import create_study
from tuning.workers.devices import find_devices, trouble_with
from tuning.workers.gpus import Gpu, gpus
from tuning.workers.local import LocalLauncher
from tuning.workers.tasks import work
from tuning.workers.trial_run import TrialRun

DRIVER = gpus()
FOUND: list[Gpu] = DRIVER.found() if DRIVER else []
pytestmark = [
    pytest.mark.cuda,
    pytest.mark.django_db,
    pytest.mark.skipif(not FOUND, reason="no NVIDIA GPU: neither its driver nor its management library is here"),
]
# A program of somebody else's: it holds 2 GiB until it is killed.
STRANGER = "import torch, time; x = torch.ones(1 << 29, device='cuda'); print('up', flush=True); time.sleep(300)"
OBJECTIVE = """
import os, time
import torch

MAX_RESOURCE = 1


def objective(trial):
    facts = {{"pid": os.getpid(), "count": torch.cuda.device_count(), "visible": os.environ["CUDA_VISIBLE_DEVICES"]}}
    if facts["count"]:
        properties = torch.cuda.get_device_properties(0)
        facts |= {{"uuid": "GPU-" + str(properties.uuid), "name": properties.name}}
        facts["before"] = torch.cuda.memory_reserved()
    for name, value in facts.items():
        trial.set_user_attr(name, value)
    {body}
    return 1.0
"""


@pytest.fixture
def folder(settings, tmp_path) -> Path:
    settings.HOST_NAME, settings.SLOTS, settings.TRIALS_PER_GPU = "host-1", 1, 1
    settings.WORKLOADS, settings.WORKLOAD_DIR = "", str(tmp_path / "workloads")
    settings.FLUSH_SECONDS = 0.05
    (tmp_path / "workloads").mkdir()
    return tmp_path / "workloads"


@pytest.fixture
def slots(folder) -> dict[str, Slot]:
    """A GPU slot on the first GPU and one CPU slot, found as the supervisor finds them."""
    register_host(name="host-1", boot_id="boot", facts={}, devices=find_devices())
    rows = Slot.objects.select_related("device__host").order_by("pk")
    return {"gpu": rows.get(device__uuid=FOUND[0].uuid, index=0), "cpu": rows.get(device__uuid="cpu")}


def start_objective(alice, folder: Path, body: str, *, n_trials: int = 1, name: str = "objective"):
    (folder / f"{name}.py").write_text(OBJECTIVE.format(body=body))
    make_workload(name, kind="objective", space=None, metric="value", direction="minimize", max_resource=1, digest="")
    study = create_study(owner=alice, name=name, workload=name, n_trials=n_trials, parallel=1, seed=1)
    return start_study(study_id=study.pk, actor=alice, despite="it is about something else")


def facts_of(study) -> list[dict]:
    trials = list(Trial.objects.filter(study=study).order_by("number"))
    assert [trial.state for trial in trials] == ["COMPLETE"] * len(trials), [trial.reason for trial in trials]
    return [trial.facts["user_attrs"] for trial in trials]


# --- discovery and pinning ---------------------------------------------------------------------------------------
def test_the_host_finds_its_gpus_without_torch_and_without_a_context(folder):
    code = (
        "import os, sys, django; django.setup()\n"
        "from tuning.workers import tasks, supervisor\n"
        "from tuning.workers.devices import find_devices\n"
        "from tuning.workers.gpus import gpus\n"
        "uuid = find_devices()[0].uuid\n"
        "print(uuid, 'torch' in sys.modules, gpus().memory_of(uuid, [os.getpid()]))"
    )
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "hpweb.settings", "HPWEB_HOME": str(folder)}
    result = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, cwd=django_settings.BASE_DIR
    )
    assert result.stdout.split() == [FOUND[0].uuid, "False", "None"], result.stderr[-2000:]


def test_a_trial_sees_the_one_gpu_of_its_slot_and_a_cpu_slot_none(alice, folder, slots):
    on_gpu = start_objective(alice, folder, "torch.ones(8, device='cuda')", name="on_gpu")
    assert work(slots["gpu"].pk) == 1
    (facts,) = facts_of(on_gpu)
    assert (facts["count"], facts["visible"], facts["uuid"]) == (1, FOUND[0].uuid, FOUND[0].uuid)
    on_cpu = start_objective(alice, folder, "torch.ones(8)", name="on_cpu")
    assert work(slots["cpu"].pk) == 1
    (facts,) = facts_of(on_cpu)
    assert (facts["count"], facts["visible"]) == (0, "")


def test_a_gpu_that_the_driver_does_not_know_takes_no_trial(alice, folder, slots):
    study = start_objective(alice, folder, "torch.ones(8, device='cuda')")
    Device.objects.filter(pk=slots["gpu"].device_id).update(uuid="GPU-00000000-0000-0000-0000-000000000000")
    assert work(slots["gpu"].pk) == 0
    assert "The driver cannot reach it" in Device.objects.get(pk=slots["gpu"].device_id).unavailable
    assert not Trial.objects.filter(study=study).exists()


# --- one process after another, and two at once ------------------------------------------------------------------
def test_a_warm_process_gives_its_gpu_memory_back(alice, folder, slots, settings):
    settings.WARM_SECONDS = 0.5
    study = start_objective(alice, folder, "torch.ones(1 << 28, device='cuda')", n_trials=3)
    assert work(slots["gpu"].pk) == 3
    facts = facts_of(study)
    assert len({one["pid"] for one in facts}) == 1
    assert [one["before"] for one in facts] == [0, 0, 0], "bytes that the allocator held when the trial began"
    assert DRIVER.memory_of(FOUND[0].uuid, [facts[0]["pid"]]) is None, "the process has gone with the task"


def test_warm_trainings_on_the_gpu_equal_cold_ones(alice, folder, slots, settings):
    write_workload(folder, seconds=0.0, epochs=3)
    make_workload(NAME, space=SPACE, digest="", max_resource=3)
    curves = {}
    for name, seconds in (("cold", 0.0), ("warm", 0.5)):
        settings.WARM_SECONDS = seconds
        study = create_study(
            owner=alice, name=name, workload=NAME, n_trials=3, parallel=1, seed=3, sampler="random", deterministic=True
        )
        start_study(study_id=study.pk, actor=alice, despite="it is about something else")
        assert work(slots["gpu"].pk) == 3
        trials = list(Trial.objects.filter(study=study).order_by("number"))
        assert [trial.state for trial in trials] == ["COMPLETE"] * 3, [trial.reason for trial in trials]
        pids = set(Attempt.objects.filter(trial__study=study).values_list("pid", flat=True))
        assert len(pids) == (3 if name == "cold" else 1)
        curves[name] = [{key: curve.values for key, curve in trial_curves(trial).items()} for trial in trials]
    assert curves["cold"] == curves["warm"]


def test_two_trials_share_a_gpu_where_the_host_allows_it(tmp_path):
    """The whole of it: `manage.py worker` with two slots on the GPU, both seen training at once."""
    place = Installation(tmp_path / "home", HPWEB_SLOTS="0", HPWEB_TRIALS_PER_GPU="2")
    place.python("manage.py", "migrate", "--skip-checks", "--verbosity", "0")
    write_workload(place.folder / "workloads", seconds=0.01, epochs=5000)
    place.python("manage.py", "shell", "--no-imports", "-c", SETUP)
    running = (
        "SELECT a.pid FROM tuning_attempt a JOIN tuning_trial t ON t.id = a.trial_id AND t.fence = a.fence "
        "WHERE t.state = 'RUNNING' AND t.resource_done > 1"
    )
    with place.workers():
        deadline = time.monotonic() + 180
        while len(pids := [row[0] for row in place.ask(running)]) < 2:
            assert time.monotonic() < deadline, place.ask("SELECT state, reason FROM tuning_trial")
            time.sleep(0.1)
        for pid in pids:
            assert f"CUDA_VISIBLE_DEVICES={FOUND[0].uuid}".encode() in Path(f"/proc/{pid}/environ").read_bytes()
        used = [DRIVER.memory_of(FOUND[0].uuid, [pid]) for pid in pids]
        print("two processes on", FOUND[0].name, "hold", used, "bytes")
        assert all(one is None or one > 1 << 20 for one in used)
        devices = place.ask("SELECT uuid, unavailable FROM tuning_device WHERE uuid <> 'none' ORDER BY id")
        assert devices == [(FOUND[0].uuid, "")], "its own trials are no strangers"
        slots = place.ask("SELECT COUNT(*) FROM tuning_slot WHERE enabled AND lane = 'device'")
        assert slots == [(2 * len(FOUND),)]
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


SETUP = f"""
from tests.factories import make_user, make_workload
from tests.workers.workloads import SPACE
from tuning.services.lifecycle import start_study
from tuning.services.studies import create_study
make_workload("{NAME}", space=SPACE, digest="", max_resource=5000)
alice = make_user("alice")
study = create_study(owner=alice, name="two", workload="{NAME}", n_trials=2, parallel=2, max_resource=5000, seed=1)
start_study(study_id=study.pk, actor=alice, despite="it is about something else")
"""


# --- memory ------------------------------------------------------------------------------------------------------
def test_real_lack_of_gpu_memory_fails_one_trial_in_words_and_the_next_runs(alice, folder, slots, settings):
    settings.WARM_SECONDS = 0.5
    fill = "held = [torch.ones(1 << 30, dtype=torch.uint8, device='cuda') for _ in range(4096)]"
    study = start_objective(alice, folder, f"if trial.number == 0: {fill}", n_trials=2)
    assert work(slots["gpu"].pk) == 2
    full, after = Trial.objects.filter(study=study).order_by("number")
    assert (full.state, full.reason_code) == ("FAILED", "out_of_memory")
    assert "Lower the batch size or the model's size" in full.reason
    assert after.state == "COMPLETE", after.reason
    assert full.attempts.get().pid != after.attempts.get().pid, "a process that ran out of memory serves no more"


def test_what_a_training_used_is_kept_with_its_attempt(alice, folder, slots):
    write_workload(folder, seconds=0.01, epochs=20)
    make_workload(NAME, space=SPACE, digest="", max_resource=20)
    study = create_study(owner=alice, name="used", workload=NAME, n_trials=1, seed=1)
    start_study(study_id=study.pk, actor=alice, despite="it is about something else")
    assert work(slots["gpu"].pk) == 1
    attempt = Attempt.objects.get()
    print(FOUND[0].name, "peak", attempt.peak_memory, "bytes, busy", attempt.utilisation)
    assert attempt.outcome == "complete", attempt.trial.reason
    assert 0 < attempt.peak_memory < FOUND[0].memory
    assert 0.0 <= attempt.utilisation <= 1.0


# --- somebody else's ---------------------------------------------------------------------------------------------
def test_a_gpu_that_a_strangers_process_holds_is_left_alone_while_the_cpu_works(alice, folder, slots):
    study = start_objective(alice, folder, "pass", n_trials=2)
    gpu, cpu = slots["gpu"], slots["cpu"]
    stranger = subprocess.Popen([sys.executable, "-c", STRANGER], stdout=subprocess.PIPE, text=True)
    try:
        assert stranger.stdout.readline() == "up\n"
        assert work(gpu.pk) == 0
        reason = Device.objects.get(pk=gpu.device_id).unavailable
        print(FOUND[0].name, "is held:", reason)
        assert f"Process {stranger.pid} (python" in reason or "cannot be seen from here" in reason
        assert gpu.pk not in idle_slots().values_list("pk", flat=True)
        assert not Trial.objects.filter(study=study).exists()
        assert work(cpu.pk) == 2
    finally:
        stranger.kill()
        stranger.communicate()
    deadline = time.monotonic() + 30
    while (why := trouble_with(gpu.device, [gpu.pk])) and time.monotonic() < deadline:
        time.sleep(0.2)  # the driver takes a moment to clear up behind it
    assert why == ""
    after = start_objective(alice, folder, "torch.ones(8, device='cuda')", name="after")
    assert work(gpu.pk) == 1
    assert facts_of(after)[0]["count"] == 1
    assert Device.objects.get(pk=gpu.device_id).unavailable == ""


# --- exact resume ------------------------------------------------------------------------------------------------
class Struck(TrialRun):
    """Kills its process once, as soon as a checkpoint of step 2 has been accepted."""

    struck = False

    def step(self):
        super().step()
        if not self.struck and Trial.objects.filter(pk=self.trial.pk, checkpoint_step__gte=2).exists():
            self.struck = True
            os.kill(self.process.pid, signal.SIGKILL)


def test_a_training_killed_on_the_gpu_goes_on_to_exactly_the_same_numbers(alice, folder, slots):
    write_workload(folder, seconds=0.01, epochs=6)
    make_workload(NAME, space=SPACE, digest="", max_resource=6)
    slot, ended = slots["gpu"], []
    for name in ("whole", "killed"):
        study = create_study(owner=alice, name=name, workload=NAME, n_trials=1, seed=3, deterministic=True)
        start_study(study_id=study.pk, actor=alice, despite="it is about something else")
        if name == "killed":
            assert "SIGKILL" in Struck(make_running(study, slot), slot, LocalLauncher()).run()
        assert work(slot.pk) == 1
        trial = Trial.objects.get(study=study)
        assert trial.state == "COMPLETE", trial.reason
        ended.append(trial)
    whole, killed = ended
    assert (whole.fence, killed.fence) == (1, 2)
    assert killed.params == whole.params
    one, other = trial_curves(whole), trial_curves(killed)
    for name in one:
        assert (one[name].steps, one[name].values) == (other[name].steps, other[name].values), name
    assert FOUND[0].name in whole.facts["device"]


def test_a_cancelled_training_leaves_the_gpu_within_a_second(alice, folder, slots, settings):
    settings.CONTROL_SECONDS = 0.1
    write_workload(folder, seconds=0.01, epochs=5000)
    make_workload(NAME, space=SPACE, digest="", max_resource=5000)
    study = create_study(owner=alice, name="cancelled", workload=NAME, n_trials=1, seed=1, max_resource=5000)
    start_study(study_id=study.pk, actor=alice, despite="it is about something else")
    run = Cancelled(make_running(study, slots["gpu"]), slots["gpu"], LocalLauncher())
    run.actor = alice
    assert "ended from outside" in run.run()
    assert time.monotonic() - run.cancelled < 1.0 * overload()
    assert DRIVER.memory_of(FOUND[0].uuid, [run.process.pid]) is None


class Cancelled(TrialRun):
    """Has its study stopped as soon as it has reported a step."""

    cancelled = 0.0
    actor = None

    def step(self):
        super().step()
        if not self.cancelled and self.stepped:
            self.cancelled = time.monotonic()
            stop_study(study_id=self.trial.study_id, actor=self.actor)
