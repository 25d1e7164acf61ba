"""Devices: what the driver says, who holds a GPU, and that a GPU which somebody else holds takes no trial."""

import os
import signal
import subprocess
import sys

import pytest

from tests.factories import make_study
from tests.workers.fakes import FakeLauncher
from tests.workers.nvml import FakeGpu, FakeNVML, NVMLError
from tuning.models import Attempt, Device, Slot, Trial
from tuning.selectors.hosts import idle_slots
from tuning.services.devices import note_device
from tuning.services.hosts import register_host
from tuning.workers import devices, gauges, gpus, tasks
from tuning.workers.devices import find_devices, trouble_with
from tuning.workers.gauges import Gauge, resident_now, resident_peak
from tuning.workers.gpus import UNSEEN_BYTES, Gpu, Gpus
from tuning.workers.processes import family
from tuning.workers.slots import lock_folder, slot_mark

NOBODY = 2**22 + 1  # no process has such a number


@pytest.fixture
def machine(monkeypatch):
    """Give this machine GPUs: `machine(FakeGpu(), …)` returns what the driver knows of them."""

    def has(*found: FakeGpu) -> FakeNVML:
        library = FakeNVML(*found)
        driver = Gpus(library)
        for module in (devices, gauges):
            monkeypatch.setattr(module, "gpus", lambda: driver)
        return library

    return has


@pytest.fixture
def slot(machine, settings, db):
    """The slot of this host's only GPU."""
    settings.HOST_NAME = "host-1"
    machine(FakeGpu())
    register_host(name="host-1", boot_id="boot", facts={}, devices=find_devices())
    return Slot.objects.select_related("device__host").get()


@pytest.fixture
def stranger():
    """A process of this machine that is no trial."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def own(slot):
    """A process that belongs to the slot, by its environment."""
    process = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(60)"], env={**os.environ, **slot_mark(slot)}
    )
    yield process
    process.kill()
    process.wait()


# --- discovery ---------------------------------------------------------------------------------------------------
def test_a_host_without_gpu_has_a_slot_for_each_core(settings, monkeypatch):
    monkeypatch.setattr(devices, "gpus", lambda: None)
    monkeypatch.setattr(devices, "cores", lambda: 4)
    settings.SLOTS = 0
    (cpu,) = find_devices()
    assert (cpu.uuid, cpu.slots, cpu.threads) == ("cpu", 4, 1)
    settings.SLOTS = 2
    (cpu,) = find_devices()
    assert (cpu.slots, cpu.threads) == (2, 2)


def test_a_host_with_gpus_has_slots_on_each_and_cpu_slots_where_asked(settings, monkeypatch, machine):
    machine(FakeGpu("GPU-1", "A"), FakeGpu("GPU-2", "B", total=2**33), FakeGpu("GPU-3", broken=True))
    monkeypatch.setattr(devices, "cores", lambda: 8)
    settings.SLOTS = 0
    found = find_devices()
    assert [(one.uuid, one.kind, one.slots, one.threads) for one in found] == [
        ("GPU-1", "A", 1, 4),
        ("GPU-2", "B", 1, 4),
    ]
    assert found[1].memory == 2**33
    settings.SLOTS, settings.TRIALS_PER_GPU = 2, 3
    assert [(one.uuid, one.slots, one.threads) for one in find_devices()] == [
        ("GPU-1", 3, 1),
        ("GPU-2", 3, 1),
        ("cpu", 2, 1),
    ]


def test_the_library_is_imported_only_where_there_is_a_driver(tmp_path, monkeypatch, caplog):
    gpus._opened.cache_clear()
    monkeypatch.setattr(gpus, "DRIVER", (str(tmp_path / "driver"),))
    monkeypatch.setitem(sys.modules, "pynvml", None)  # an import would fail
    assert gpus.gpus() is None
    assert caplog.text == ""
    (tmp_path / "driver").touch()
    gpus._opened.cache_clear()
    assert gpus.gpus() is None
    assert "nvidia-ml-py is not installed" in caplog.text
    gpus._opened.cache_clear()
    monkeypatch.setitem(sys.modules, "pynvml", FakeNVML(FakeGpu("GPU-7"), driver=True))
    assert gpus.gpus().found() == [Gpu("GPU-7", "Some Accelerator", 80 << 30)]
    gpus._opened.cache_clear()
    monkeypatch.setitem(sys.modules, "pynvml", FakeNVML(driver=False))
    assert gpus.gpus() is None
    assert "Driver Not Loaded" in caplog.text
    gpus._opened.cache_clear()


def test_the_real_library_has_every_function_that_is_called():
    import pynvml

    called = [name for name in vars(FakeNVML) if name.startswith("nvml")]
    assert len(called) == 8 + 1
    assert [name for name in called if not callable(getattr(pynvml, name, None))] == []
    assert issubclass(pynvml.NVMLError, Exception)


# --- who holds it ------------------------------------------------------------------------------------------------
def holder(gpu, *, ours=(), ours_run=False):
    return Gpus(FakeNVML(gpu)).holder(gpu.uuid, lambda pid: pid in ours, ours_run)


def test_a_gpu_is_free_with_nothing_or_only_ours_on_it(own):
    assert holder(FakeGpu()) == ""
    assert holder(FakeGpu(processes={own.pid: 2**30}, used=2**31), ours=[own.pid], ours_run=True) == ""
    assert holder(FakeGpu(processes={own.pid: 2**30}, used=2**31), ours=[own.pid]) == "", "ending, but ours"


def test_a_gpu_with_somebody_elses_process_is_held_and_says_whose(stranger, own):
    gpu = FakeGpu(processes={own.pid: 2**30, stranger.pid: 3 * 2**30})
    reason = holder(gpu, ours=[own.pid], ours_run=True)
    assert reason.startswith(f"Process {stranger.pid} (python")
    assert "which is no trial, uses 3.0 GiB" in reason
    gpu.processes[stranger.pid] = None  # the driver does not tell everybody
    assert "uses memory of it" in holder(gpu, ours=[own.pid])


def test_in_a_container_only_the_absence_of_ours_can_tell():
    gpu = FakeGpu(processes={NOBODY: 2**30}, used=2**31)
    assert holder(gpu, ours_run=True) == "", "it may be our own, under the number that the machine gives it"
    assert holder(gpu) == "Processes that cannot be seen from here use 2.0 GiB of its memory."
    gpu.processes.clear()
    assert "cannot be seen" in holder(gpu), "some containers hide the list, not the memory"
    gpu.used = UNSEEN_BYTES - 1
    assert holder(gpu) == ""


def test_a_server_that_shares_the_gpu_is_no_trial(monkeypatch, stranger):
    monkeypatch.setattr(gpus, "process_name", lambda pid: "nvidia-cuda-mps-server")
    assert holder(FakeGpu(processes={stranger.pid: 30 << 20})) == ""


def test_a_gpu_that_the_driver_has_lost_takes_nothing(machine, slot):
    machine()
    assert trouble_with(slot.device, [slot.pk]) == "The driver cannot reach it: Not Found."


def test_ours_is_what_carries_the_mark_of_this_folder(own, stranger, settings, tmp_path):
    assert devices.is_ours(own.pid)
    assert not devices.is_ours(stranger.pid)
    assert not devices.is_ours(NOBODY)
    settings.STATE_DIR = tmp_path / "another"
    assert not devices.is_ours(own.pid), "another installation on this machine"


# --- claims ------------------------------------------------------------------------------------------------------
def finish(process):
    process.say(
        {"type": "step", "step": 1, "metrics": {"validation/loss": 0.5}, "wall": 1.0},
        {"type": "result", "steps": 1, "stopped": False, "peak_memory": 3 * 2**30},
    )


def test_a_held_gpu_takes_no_trial_until_it_is_free(alice, slot, machine, stranger, django_capture_on_commit_callbacks):
    make_study(alice, started=True, workload="tiny", n_trials=1)
    gpu = FakeGpu(processes={stranger.pid: 2**30})
    machine(gpu)
    assert tasks.work(slot.pk, FakeLauncher(finish)) == 0
    assert not Trial.objects.exists()
    assert f"Process {stranger.pid}" in Device.objects.get().unavailable
    assert not idle_slots().exists(), "no hint is sent to it"
    gpu.processes.clear()
    assert tasks.work(slot.pk, FakeLauncher(finish)) == 1
    assert (Trial.objects.get().state, Device.objects.get().unavailable) == ("COMPLETE", "")


def test_a_full_disk_starts_nothing_and_fails_nothing(alice, settings, tmp_path, django_capture_on_commit_callbacks):
    settings.HOST_NAME, settings.SLOTS, settings.ARTIFACT_DIR = "host-1", 1, tmp_path / "not" / "made" / "yet"
    register_host(name="host-1", boot_id="boot", facts={}, devices=find_devices())
    slot = Slot.objects.select_related("device__host").get()
    make_study(alice, started=True, workload="tiny", n_trials=1)
    settings.FREE_DISK_MB = 2**40
    assert tasks.work(slot.pk, FakeLauncher(finish)) == 0
    assert not Trial.objects.exists(), "no trial of the budget is spent"
    found = Device.objects.get().unavailable
    assert "MB left of the 1,099,511,627,776 MB that must be free" in found
    assert found.endswith(f"Make room in {settings.ARTIFACT_DIR}; trials then start by themselves.")
    assert not idle_slots().exists(), "no hint is sent to it"
    settings.FREE_DISK_MB = 0
    assert tasks.work(slot.pk, FakeLauncher(finish)) == 1
    assert (Trial.objects.get().state, Device.objects.get().unavailable) == ("COMPLETE", "")


def test_what_a_trial_used_of_its_gpu_is_kept(alice, slot, machine):
    make_study(alice, started=True, workload="tiny", n_trials=1)
    machine(FakeGpu(busy=80))
    tasks.work(slot.pk, FakeLauncher(finish))
    attempt = Attempt.objects.get()
    assert attempt.peak_memory == 3 * 2**30
    assert attempt.utilisation == pytest.approx(0.8)


def test_gauges_of_a_gpu(slot, machine):
    gpu = FakeGpu(busy=50, processes={4242: 2**30, 7: 2**40})
    machine(gpu)
    gauge = Gauge(4242, slot)
    gauge.sample()
    gpu.busy, gpu.processes[4242] = 100, 2**29
    gauge.sample()
    assert (gauge.peak_memory, gauge.utilisation) == (2**30, pytest.approx(0.75))
    gpu.broken, gpu.processes = True, {}
    gauge.sample()
    assert (gauge.peak_memory, gauge.utilisation) == (2**30, pytest.approx(0.75)), "what is known stays"


def test_gauges_follow_what_a_process_starts(slot, machine, db):
    code = "import time, subprocess, sys; x = bytearray(300 << 20); print('up', flush=True); time.sleep(600)"
    above = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {code!r}])"
    process = subprocess.Popen([sys.executable, "-c", above], stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert process.stdout.readline() == "up\n"
        root, below = family(process.pid)
        machine(FakeGpu(busy=50, processes={root: 2**20, below: 2**30, 7: 2**40}))
        gauge = Gauge(process.pid, slot)
        gauge.sample()
        assert gauge.peak_memory == 2**30 + 2**20, "what both hold of the GPU"
        assert resident_peak(root) < 100 << 20 < 300 << 20 < resident_now([root, below]) < 400 << 20
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    assert (family(process.pid), resident_now([root, below])) == ([process.pid], None)


def test_gauges_of_the_cpu(db, settings):
    from tests.factories import make_slot

    code = (
        "import time; x = bytearray(300 << 20); del x; print('up', flush=True); end = time.time() + 60\n"
        "while time.time() < end: pass"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "up\n"
        gauge = Gauge(process.pid, make_slot())
        assert gauge.utilisation is None
        while not gauge.utilisation or gauge.utilisation <= 0.01:
            gauge.sample()
        assert gauge.peak_memory == resident_peak(process.pid) > 300 << 20
        assert gauge.utilisation <= 1.0
    finally:
        process.kill()
        process.communicate()
    gauge.sample()
    assert gauge.peak_memory > 300 << 20, "a process that has gone takes nothing back"
    assert lock_folder().is_dir()


def test_an_error_of_the_driver_is_its_own(machine):
    library = machine(FakeGpu())
    with pytest.raises(NVMLError):
        library.nvmlDeviceGetHandleByUUID("GPU-9")


# --- pages -------------------------------------------------------------------------------------------------------
def test_the_workers_page_and_the_interface_say_who_holds_a_gpu(alice, client, slot):
    note_device(device=slot.device, unavailable="Process 7 (blender), which is no trial, uses 3.0 GiB.")
    client.force_login(alice)
    assert "Process 7 (blender), which is no trial, uses 3.0 GiB." in client.get("/workers/").content.decode()
    (host,) = client.get("/api/v1/workers/").json()["results"]
    assert "blender" in host["devices"][0]["unavailable"]
    note_device(device=slot.device, unavailable="")
    assert "idle" in client.get("/workers/").content.decode()


def test_the_trials_page_says_what_an_attempt_used(alice, client, slot, machine):
    study = make_study(alice, started=True, workload="tiny", n_trials=1)
    machine(FakeGpu(busy=80))
    tasks.work(slot.pk, FakeLauncher(finish))
    client.force_login(alice)
    page = client.get(f"/trials/{study.trials.get().pk}/").content.decode()
    assert "peak 3.22 GB" in page
    assert "80 % busy" in page
