"""Two hosts whose data differ, data that change under a study, and the first trial, which pins it: real processes."""

import pytest

from tests.factories import make_place, make_running, make_workload
from tests.runner.programs import write_program
from tests.runner.test_pins import FUNCTION, file_workload
from tests.training.problems import PARAMS
from tuning.models import Attempt, AuditEvent, Job, Offering, Study, Trial, Workload
from tuning.selectors.offerings import differences
from tuning.services.hosts import beat_host
from tuning.services.jobs import request_counts
from tuning.services.lifecycle import start_study
from tuning.services.pinning import adopt_code
from tuning.services.studies import create_study
from tuning.services.workloads import store_descriptions
from tuning.workers.describing import describe_here
from tuning.workers.tasks import work
from tuning.workers.trial_run import TrialRun
from tuning.workers.warm import WarmLauncher

NAME = "bring"
OTHER = "The trial process had other data than the study was made with."
SPACE = {name: {"type": "constant", "value": value} for name, value in PARAMS.items()}
SPACE["lr"] = {"type": "float", "low": 0.01, "high": 0.1}


@pytest.fixture
def places(settings, tmp_path, db):
    """One folder of workloads, and a folder of data for each of two hosts."""
    settings.WORKLOADS, settings.FLUSH_SECONDS = "", 0.05
    settings.WORKLOAD_DIR = str(tmp_path / "workloads")
    for name in ("workloads", "a", "b"):
        (tmp_path / name).mkdir()
    return tmp_path


def put(places, host, *, shift=0):
    """The workload's file, and its data on a host; `shift` changes the labels alone."""
    file_workload(places / host, NAME, shift=shift, more=f"\nspace = {SPACE!r}\n")
    written, file = places / host / f"{NAME}.py", places / "workloads" / f"{NAME}.py"
    if not file.exists():  # one that is written again is other code to a warm process
        file.write_text(written.read_text())
    written.unlink()


class Hosts:
    """Work is done on one host after another, each with its own HPWEB_DATA_DIR."""

    def __init__(self, settings, places):
        self.settings, self.places = settings, places
        self.bulk = {name: make_place("bulk", name) for name in ("a", "b")}
        self.slots = {name: self.bulk[name].device.host.devices.get(uuid="cpu").slots.get() for name in ("a", "b")}

    def be(self, name):
        self.settings.HOST_NAME, self.settings.DATA_DIR = name, str(self.places / name)
        beat_host(host_id=self.slots[name].device.host_id)
        return self.slots[name]

    def work(self, name):
        slot = self.be(name)
        return work(self.bulk[name].pk) + work(slot.pk)

    def look(self, name):
        """Refresh on the workloads page."""
        self.be(name)
        describe_here()
        request_counts(host=self.slots[name].device.host)

    def words(self, name):
        return [difference.words for difference in self.differences(name)]

    def differences(self, name):
        host = self.be(name).device.host
        return differences().get(host.pk, [])


@pytest.fixture
def hosts(settings, places):
    return Hosts(settings, places)


def study_of(alice, name=NAME, n_trials=3, **changes):
    study = create_study(owner=alice, name=name, workload=name, n_trials=n_trials, seed=1, max_resource=1, **changes)
    return start_study(study_id=study.pk, actor=alice, despite="it is about something else")


def states():
    return list(Trial.objects.order_by("number").values_list("state", "retries", "reason"))


def pin():
    return Study.objects.get().data_digest


def test_the_first_trial_pins_the_study_and_a_host_with_other_labels_trains_nothing(alice, hosts, places):
    put(places, "a"), put(places, "b", shift=1)
    make_workload(NAME, space=SPACE)  # as if counted, by nobody that told the data
    study_of(alice, n_trials=2)
    Study.objects.update(budget_total=1)
    assert hosts.work("a") == 1
    assert (len(pin()), states()) == (64, [("COMPLETE", 0, "")])
    Study.objects.update(budget_total=2, state="RUNNING")
    assert hosts.work("b") == 1, "its process looks"
    assert states() == [("COMPLETE", 0, ""), ("WAITING", 0, OTHER)]
    assert Trial.objects.get(number=1).resource_done == 0
    assert hosts.work("b") == 0, "and the host claims no more"
    (words,) = hosts.words("b")
    other = Offering.objects.get(host__name="b").data_digest
    assert words == f"has other data of bring ({other[:12]}) than the study was made with ({pin()[:12]})"
    assert hosts.words("a") == []
    assert hosts.work("a") == 1
    assert states() == [("COMPLETE", 0, "")] * 2


def test_a_host_is_counted_before_it_tries_and_again_when_it_looks_after_it_was_mended(alice, hosts, places):
    put(places, "a"), put(places, "b", shift=1)
    hosts.look("a")
    make_workload(NAME, space=SPACE, digest=Workload.objects.get(name=NAME).digest)
    study_of(alice)
    assert hosts.work("a") == 3
    Study.objects.update(budget_total=5, state="RUNNING")
    hosts.look("b")
    assert [job.args for job in Job.objects.filter(state="WAITING")] == [{"workload": NAME, "host": "b"}]
    assert hosts.work("b") == 1
    assert not Trial.objects.exclude(attempts__host="a").exists(), "nothing of it was tried there"
    assert "has other data of bring" in hosts.words("b")[0]
    put(places, "b")
    assert hosts.work("b") == 0
    hosts.look("b")
    assert hosts.work("b") == 3, "the count, and two trials"
    assert states() == [("COMPLETE", 0, "")] * 5
    hosts.look("b")
    assert not Job.objects.filter(state="WAITING").exists(), "each trial compares them itself"


def test_data_that_change_between_two_trials_of_a_warm_process(alice, hosts, places, settings):
    """The second reads others. They may be some that the process keeps, so that a new process has the last word."""
    settings.WARM_SECONDS = 60.0
    put(places, "a")
    make_workload(NAME, space=SPACE)
    study, slot, warm = study_of(alice, parallel=1), hosts.be("a"), WarmLauncher()
    for words, noted in (("complete", True), (OTHER, True), (OTHER, False)):
        assert TrialRun(make_running(study, slot), slot, warm).run() == words
        assert (Offering.objects.get().data_digest == pin()) is noted
        put(places, "a", shift=1)
    assert states() == [("COMPLETE", 0, ""), ("WAITING", 0, OTHER)]
    pids = list(Attempt.objects.order_by("pk").values_list("pid", flat=True))
    assert pids[0] == pids[1] != pids[2]
    assert hosts.work("a") == 0
    assert "has other data" in hosts.words("a")[0]


def test_the_owner_takes_new_data_over(alice, hosts, places):
    put(places, "a")
    hosts.look("a")
    study = study_of(alice)
    Study.objects.update(budget_total=1)
    hosts.work("a")
    old = pin()
    put(places, "a", shift=1)
    Study.objects.update(budget_total=2, state="RUNNING")
    assert hosts.work("a") == 1
    (difference,) = hosts.differences("a")
    assert (difference.adoptable, difference.subject) == (True, "data")
    for _ in range(2):
        adopt_code(study_id=study.pk, actor=alice)
    assert pin() not in ("", old)
    assert hosts.words("a") == []
    event = AuditEvent.objects.get(verb="took over the present data of")
    assert (event.before["data_digest"], event.after["data_digest"]) == (old, pin())
    assert hosts.work("a") >= 1
    assert states() == [("COMPLETE", 0, "")] * 2


def test_a_host_without_the_data_waits_for_them_and_fails_no_trial(alice, hosts, places):
    put(places, "a")
    make_workload(NAME, space=SPACE)
    study_of(alice, n_trials=2)
    Study.objects.update(budget_total=1)
    hosts.work("a")
    Study.objects.update(budget_total=2, state="RUNNING")
    assert hosts.work("b") == 1
    assert states()[1] == ("WAITING", 0, "This host cannot read the data that the study was made with.")
    assert hosts.words("b")[0].startswith("could not read the data of bring: FileNotFoundError: there is no 'bring.pt'")
    assert hosts.work("a") == 1


def test_the_files_that_a_function_names_are_pinned(alice, hosts, places):
    (places / "workloads" / "sums.py").write_text(FUNCTION.format(name="sums"))
    for host, content in (("a", "1\n"), ("b", "2\n")):
        (places / host / "sums").mkdir()
        (places / host / "sums" / "a.csv").write_text(content)
    hosts.look("a")
    study_of(alice, "sums", n_trials=1)
    assert pin() == Offering.objects.get(host__name="a", workload="sums").data_digest != ""
    hosts.look("b")
    assert hosts.work("b") == 0
    assert "has other data of sums" in hosts.words("b")[0]
    assert hosts.work("a") == 1
    assert Trial.objects.get().value == 1.0


def test_the_files_that_a_program_names_are_looked_at_when_it_starts(alice, hosts, places, settings):
    settings.PROGRAMS = str(places / "workloads" / "programs.toml")
    write_program(places / "workloads", "weighs", "print('{\"value\": 1}')\n", metrics_from="stdout", data=["w.txt"])
    (places / "workloads" / "w.txt").write_text("1\n")
    hosts.look("a")
    study_of(alice, "weighs", n_trials=1)
    (places / "workloads" / "w.txt").write_text("2\n")
    assert hosts.work("a") == 1
    assert states() == [("WAITING", 0, OTHER)]
    assert "has other data of weighs" in hosts.words("a")[0]
    assert hosts.work("a") == 0
    (places / "workloads" / "w.txt").write_text("1\n")
    store_descriptions(entries=[], host=hosts.slots["b"].device.host)
    hosts.look("a")
    assert hosts.words("a") == []
    assert hosts.work("a") == 1
    assert states() == [("COMPLETE", 0, "")]
