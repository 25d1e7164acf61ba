import pytest

from tests.training.problems import Blobs
from tuning.training import Metric, Workload, WorkloadError, check_workload


def problems_of(**attributes):
    cls = type("Changed", (Blobs,), attributes)
    with pytest.raises(WorkloadError) as caught:
        check_workload(cls)
    assert str(caught.value).startswith("Changed is not a workload yet: ")
    return caught.value.problems


def test_a_whole_workload_passes():
    check_workload(Blobs)


def test_an_empty_class_hears_everything_that_is_missing_at_once():
    class Nothing(Workload):
        pass

    with pytest.raises(WorkloadError) as caught:
        check_workload(Nothing)
    text = str(caught.value)
    for part in (
        "no name; add for example name = 'nothing'",
        "data()",
        "build_model()",
        "build_optimizer()",
        "loss()",
    ):
        assert part in text
    assert "no space" in text


@pytest.mark.parametrize(
    ("attributes", "complaint"),
    [
        ({"name": "My Net"}, "name 'My Net' is not a lower-case word such as 'changed'"),
        ({"title": 3}, "title is a text, not 3"),
        ({"build_model": None}, "build_model must be a method, not None"),
        ({"max_epochs": 0}, "max_epochs is a whole number of at least 1, not 0"),
        ({"max_epochs": True}, "max_epochs is a whole number of at least 1, not True"),
        ({"batch_size": 1.5}, "batch_size is a whole number of at least 1, not 1.5"),
        ({"min_epochs": 9}, "min_epochs (9) is above max_epochs (6)"),
        ({"amp": "half"}, "amp is None, 'bfloat16' or 'float16', not 'half'"),
        ({"space": [1]}, "space is a dict from parameter names to their ranges, not a list"),
        ({"space": {3: {"type": "float"}}}, "a parameter's name is a text, not 3"),
        ({"space": {"lr": 0.1}}, '\'lr\' is a dict such as {"type": "float", ...}, not 0.1'),
        ({"space": {"lr": {"low": 0}}}, "'lr' has no \"type\" (float, int, categorical or constant)"),
        (
            {"scores": "accuracy"},
            'scores is a tuple such as (Metric("accuracy", "maximize"),), not \'accuracy\'',
        ),
        ({"scores": (Metric("loss", "minimize"),)}, "scores names 'loss', which is always reported"),
        ({"scores": (Metric("f1", "maximize"),) * 2}, "scores names 'f1' twice"),
        ({"scores": (Metric("test_f1", "maximize"),)}, "scores names 'test_f1', a metric of the test set"),
        ({"metrics": Workload.metrics}, "scores promises accuracy, but the method metrics() is missing"),
        ({"direction": "down"}, "direction is 'minimize' or 'maximize', not 'down'"),
        (
            {"metric": "validation/f1"},
            "metric 'validation/f1' is not reported; choose one of train/loss, train/acc",
        ),
        ({"metric": "validation/accuracy"}, "'minimize', but 'validation/accuracy' has the goal 'maximize'"),
    ],
)
def test_each_fault_is_named_with_what_would_be_right(attributes, complaint):
    problems = problems_of(**attributes)
    assert any(complaint in problem for problem in problems), problems
    assert len(problems) == 1, problems


def test_faults_add_up():
    assert len(problems_of(name="X", max_epochs=0, space=None)) == 3


@pytest.mark.parametrize(
    ("name", "goal"), [("validation/f1", "maximize"), ("", "maximize"), ("f1", "up"), (1, "minimize")]
)
def test_a_metric_has_a_plain_name_and_a_goal(name, goal):
    with pytest.raises(ValueError, match="metric"):
        Metric(name, goal)


def test_reported_metrics_are_the_loss_and_the_scores_of_both_splits():
    assert Blobs.reported_metrics() == {
        "train/loss": "minimize",
        "train/accuracy": "maximize",
        "validation/loss": "minimize",
        "validation/accuracy": "maximize",
    }


def test_a_data_file_is_found_or_its_absence_explained(tmp_path):
    (tmp_path / "images.npz").write_bytes(b"1")
    assert Blobs(tmp_path).data_file("images.npz") == tmp_path / "images.npz"
    with pytest.raises(FileNotFoundError, match=r"no 'labels.npz' in HPWEB_DATA_DIR"):
        Blobs(tmp_path).data_file("labels.npz")
    with pytest.raises(FileNotFoundError, match="HPWEB_DATA_DIR, which is not set; set it to the folder"):
        Blobs().data_file("images.npz")


def test_a_workload_knows_whether_it_declares_test_data():
    class WithTest(Blobs):
        def test_data(self):
            return None

    assert WithTest.has_test_data() and not Blobs.has_test_data()
