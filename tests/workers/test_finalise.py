"""The final look on a real worker: a study is tuned, its choice sealed, trained anew and measured on the test split."""

from tests.factories import make_slot
from tests.training import problems
from tuning.models import Job, Reveal, Study
from tuning.selectors.artifacts import final_folder
from tuning.selectors.reveals import scores_of
from tuning.services.finalising import finalise_study
from tuning.services.lifecycle import start_study
from tuning.services.studies import create_study
from tuning.workers.describing import describe_here
from tuning.workers.tasks import work

TESTED = '''

class Tested(Blobs):
    name = "tested"
    max_epochs = 3
    space = {
        "lr": {"type": "float", "low": 0.05, "high": 0.2, "log": True},
        "dropout": {"type": "constant", "value": 0.1},
        "l1": {"type": "constant", "value": 0.0001},
        "batch_size": {"type": "constant", "value": 16},
    }

    def test_data(self):
        inputs = torch.randn(60, 4, generator=torch.Generator().manual_seed(6))
        return TensorDataset(inputs, (inputs.sum(dim=1) > 0).long())
'''


def test_a_sealed_choice_is_trained_and_revealed_by_a_worker(alice, settings, tmp_path):
    settings.WORKLOADS, settings.WORKLOAD_DIR = "", str(tmp_path)
    settings.FLUSH_SECONDS, settings.WARM_SECONDS, settings.HOST_NAME = 0.05, 0.1, "host-1"
    slot = make_slot()
    with open(problems.__file__) as file:
        (tmp_path / "tested.py").write_text(file.read().replace('    name = "blobs"\n', "", 1) + TESTED)
    describe_here()
    study = create_study(owner=alice, name="first", workload="tested", n_trials=2, seed=5, parallel=1)
    start_study(study_id=study.pk, actor=alice, despite="it is about the test set")
    assert work(slot.pk) == 2
    assert Study.objects.get().data_digest
    seal = finalise_study(study_id=study.pk, actor=alice, seeds=2)
    assert work(slot.pk) == 1
    job = Job.objects.get(kind="finalise")
    assert (job.state, job.error, job.result) == ("COMPLETE", "", {})
    reveal = Reveal.objects.get()
    assert [row["seed"] for row in reveal.result["seeds"]] == seal.seeds
    assert reveal.result["sizes"] == {"train": 80, "validation": 40, "test": 60}
    loss, accuracy = scores_of(reveal)
    assert accuracy.mean > 0.5
    assert loss.low < loss.mean < loss.high
    assert loss.chosen == study.trials.get(pk=reveal.trial_id).value
    assert {path.name for path in final_folder(seal).iterdir()} == {"seed-0", "seed-1"}
