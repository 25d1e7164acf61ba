"""What hosts have of a workload, what studies are pinned to, and who may therefore claim what."""

import pytest

from tests.factories import DESCRIPTION, make_place, make_slot, make_study
from tuning.models import AuditEvent, Host, Job, Offering, Slot, Split, Study, Workload
from tuning.selectors.offerings import differences, hosts_offering, hosts_to_count
from tuning.selectors.sharing import with_room
from tuning.services.errors import Conflict, Forbidden, NotFound
from tuning.services.job_endings import complete_job, finish_job, requeue_job
from tuning.services.jobs import claim_job, request_counts, request_describe, request_descriptions, request_split
from tuning.services.lifecycle import stop_study
from tuning.services.offerings import note_refusal
from tuning.services.pinning import adopt_code
from tuning.services.workloads import store_descriptions

pytestmark = pytest.mark.django_db
OLD, NEW = "0" * 64, "1" * 64


def described(host: str, digest: str = OLD, **changes) -> Host:
    """A live host that has looked for workloads and found "tiny" with this code."""
    row = make_place("bulk", host).device.host
    store_descriptions(entries=[{**DESCRIPTION, "digest": digest, **changes}], host=row)
    return row


def counted(host: Host, digest: str) -> None:
    """The host's split job has found these data."""
    request_split(actor=None, workload="tiny", host=host.name)
    job = claim_job(slot=place(host, "bulk"))
    assert job is not None
    sizes = {"train": 8, "validation": 2, "test": 0}
    answer = {"sizes": sizes, "hashes": {}, "digest": "5" * 64, "data_digest": digest}
    assert complete_job(job_id=job.pk, fence=job.fence, answer=answer)


def place(host: Host, lane: str) -> Slot:
    return Slot.objects.select_related("device__host").get(device__host=host, lane=lane)


def claims(host: Host) -> list[str]:
    return [study.name for study in with_room(host)]


def words(host: Host) -> list[str]:
    return [difference.words for difference in differences().get(host.pk, [])]


@pytest.fixture
def study(alice) -> Study:
    """A running study that was made with OLD code, on one host."""
    described("a")
    return make_study(alice, workload="tiny", name="wide", started=True)


# --- code ------------------------------------------------------------------------------------------------------
def test_a_host_with_other_code_claims_nothing_of_it(study):
    same, other = described("b"), described("c", NEW)
    assert (claims(same), claims(other)) == (["wide"], [])
    assert words(same) == []
    assert "other code" in words(other)[0] and NEW[:12] in words(other)[0] and OLD[:12] in words(other)[0]
    described("c", OLD)
    assert (claims(other), words(other)) == (["wide"], [])


def test_a_host_without_it_or_with_a_broken_one_claims_nothing_of_it(study):
    lacking, broken = described("b", name="another"), described("c", error="SyntaxError")
    assert (claims(lacking), claims(broken)) == ([], [])
    assert words(lacking) == words(broken) == ["has no working tiny"]


def test_a_host_that_has_never_looked_may_try_until_its_process_refuses(study):
    host = make_slot("new").device.host
    assert claims(host) == ["wide"]
    for _ in range(2):
        note_refusal(host=host, workload="tiny", digest=NEW)
    assert claims(host) == []
    assert "other code" in words(host)[0]
    described("new")
    assert claims(host) == ["wide"]


def test_a_new_study_is_pinned_to_the_code_of_the_list(study, alice):
    newer = described("c", NEW)
    make_study(alice, workload="tiny", name="new", started=True)
    assert (claims(Host.objects.get(name="a")), claims(newer)) == (["wide"], ["new"])


def test_the_list_has_the_code_of_the_most_hosts(db):
    described("a"), described("b"), described("c", NEW)
    assert Workload.objects.get().digest == OLD
    described("b", NEW)
    assert Workload.objects.get().digest == NEW
    assert hosts_offering() == {"tiny": [("a", False), ("b", True), ("c", True)]}


def test_what_another_host_has_stays_in_the_list(db):
    described("a")
    described("b", name="only here")
    assert set(Workload.objects.values_list("name", flat=True)) == {"tiny", "only here"}
    described("b")
    assert set(Workload.objects.values_list("name", flat=True)) == {"tiny"}


# --- data ------------------------------------------------------------------------------------------------------
def test_the_first_host_that_counts_pins_the_study(study):
    a, b = Host.objects.get(name="a"), described("b")
    assert (study.data_digest, claims(b)) == ("", ["wide"])
    counted(a, "d" * 64)
    study.refresh_from_db()
    assert study.data_digest == "d" * 64
    assert (claims(a), claims(b)) == (["wide"], [])
    assert words(b) == ["has not counted the data of tiny yet"]
    counted(b, "e" * 64)
    assert claims(b) == []
    assert "other data" in words(b)[0]
    counted(b, "d" * 64)
    assert (claims(b), words(b)) == (["wide"], [])


def test_a_host_that_looked_before_the_study_was_pinned_counts_too(study):
    """Nobody had asked it: its look found no pinned study, and the first count came from another host."""
    b = described("b")
    counted(Host.objects.get(name="a"), "d" * 64)
    Job.objects.all().delete()
    assert claims(b) == []
    request_counts(host=b)
    request_counts(host=b)
    assert [job.args for job in Job.objects.all()] == [{"workload": "tiny", "host": "b"}]
    counted(b, "d" * 64)
    assert claims(b) == ["wide"]
    Job.objects.all().delete()
    request_counts(host=b)
    assert not Job.objects.exists()


def test_a_count_that_is_lost_again_and_again_is_given_up(study):
    b = described("b")
    counted(Host.objects.get(name="a"), "d" * 64)
    request_counts(host=b)
    slot = place(b, "bulk")
    for _ in range(4):
        job = claim_job(slot=slot)
        assert requeue_job(job_id=job.pk, fence=job.fence, why="its process was killed")
    assert Job.objects.get(pk=job.pk).state == "FAILED"
    request_counts(host=b)
    assert claim_job(slot=slot) is None
    assert words(b) == ["could not read the data of tiny: its process was killed"]


def test_a_host_that_cannot_read_the_data_says_why(study):
    counted(Host.objects.get(name="a"), "d" * 64)
    slot = make_place("quick", "b")
    b = slot.device.host
    request_describe(actor=None, host="b")
    job = claim_job(slot=slot)
    complete_job(job_id=job.pk, fence=job.fence, answer={"workloads": [DESCRIPTION]})
    job = claim_job(slot=place(b, "bulk"))
    assert job.args == {"workload": "tiny", "host": "b"}, "looking for workloads has asked for it"
    finish_job(job_id=job.pk, fence=job.fence, error="Traceback\nFileNotFoundError: wine.csv")
    assert claims(b) == []
    assert words(b) == ["could not read the data of tiny: FileNotFoundError: wine.csv"]


def test_a_study_that_starts_is_pinned_to_what_is_counted_and_asks_the_rest(study, alice):
    a, b = Host.objects.get(name="a"), described("b")
    counted(a, "d" * 64)
    Job.objects.all().delete()
    assert hosts_to_count("tiny") == ["b"]
    second = make_study(alice, workload="tiny", name="second", started=True)
    assert Study.objects.get(pk=second.pk).data_digest == "d" * 64
    assert [job.args for job in Job.objects.all()] == [{"workload": "tiny", "host": b.name}]


def test_a_host_s_job_is_left_to_that_host(study):
    described("b")
    Job.objects.all().delete()
    places = Slot.objects.select_related("device__host").filter(lane="quick")
    slots = {slot.device.host.name: slot for slot in places}
    jobs = request_descriptions(actor=None)
    assert [job.args for job in jobs] == [{"host": "a"}, {"host": "b"}]
    assert claim_job(slot=slots["b"]).args == {"host": "b"}
    assert claim_job(slot=slots["b"]) is None
    assert claim_job(slot=slots["a"]).args == {"host": "a"}
    Host.objects.update(last_seen=None)
    (job,) = request_descriptions(actor=None)
    assert job.args == {}


def test_a_program_s_data_come_with_its_description(alice):
    program = {"kind": "command", "data_digest": "d" * 64}
    a, b = described("a", **program), described("b", **{**program, "data_digest": "e" * 64})
    study = make_study(alice, workload="tiny", name="wide", started=True)
    assert not Job.objects.exists()
    pinned = Study.objects.get(pk=study.pk).data_digest
    assert pinned in ("d" * 64, "e" * 64)
    assert sorted([claims(a), claims(b)]) == [[], ["wide"]]


# --- taking over -----------------------------------------------------------------------------------------------
def test_a_study_takes_over_the_code_that_the_workers_have_now(study, alice):
    counted(Host.objects.get(name="a"), "d" * 64)
    host = described("a", NEW)
    assert Offering.objects.get().data_digest == "", "they belonged to other code"
    assert not Split.objects.exists()
    before = Study.objects.get(pk=study.pk).version
    for _ in range(2):
        adopt_code(study_id=study.pk, actor=alice)
    study.refresh_from_db()
    assert (study.workload_digest, study.data_digest) == (NEW, "")
    assert study.version == before + 1
    assert claims(host) == ["wide"]
    event = AuditEvent.objects.get(verb__contains="present code")
    assert (event.before["workload_digest"], event.after["workload_digest"]) == (OLD, NEW)
    counted(host, "f" * 64)
    study.refresh_from_db()
    assert study.data_digest == "f" * 64


def test_only_an_open_study_of_a_working_workload_takes_over(study, alice, bob):
    with pytest.raises(Forbidden):
        adopt_code(study_id=study.pk, actor=bob)
    with pytest.raises(NotFound):
        adopt_code(study_id=10**9, actor=alice)
    described("a", error="SyntaxError")
    with pytest.raises(Conflict, match="No host has a working"):
        adopt_code(study_id=study.pk, actor=alice)
    described("a", NEW)
    stop_study(study_id=study.pk, actor=alice)
    with pytest.raises(Conflict, match="stopped"):
        adopt_code(study_id=study.pk, actor=alice)
    with pytest.raises(Conflict, match="No host"):
        adopt_code(study_id=make_study(alice).pk, actor=alice)
