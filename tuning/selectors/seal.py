"""How far a study's test set is kept from everybody until the choice is made, and who holds it."""

from dataclasses import dataclass

from tuning.models import Study, Workload
from tuning.selectors.sealed import sealed_names
from tuning.selectors.workloads import split_of

ENFORCED, DECLARED, NONE = "enforced", "declared", "none"


@dataclass(frozen=True)
class Seal:
    """The state of a study's seal.

    Attributes:
        state: "enforced" (a PyTorch workload with test_data: a process of ours opens it), "declared" (trials report
            metrics of the test set, and their program holds it) or "none" (no test set is known).
        message: what that means, for a person.
        metrics: the sealed metrics that trials have reported, by name.
    """

    state: str
    message: str
    metrics: tuple[str, ...] = ()


def seal_of(study: Study) -> Seal:
    """The state of the study's seal; no sealed value is read."""
    metrics = tuple(sealed_names(study))
    if _has_test_data(study):
        message = (
            "The test split is opened by a process of its own, once the choice is made: a trial that calls test_data() "
            "fails. Whether a trial’s code reads the same data from elsewhere nobody can see."
        )
        return Seal(ENFORCED, message, metrics)
    if metrics:
        named = f"{', '.join(metrics[:3])}{', …' if len(metrics) > 3 else ''}"
        message = (
            f"What trials report of the test set ({named}) is stored sealed. Their program holds the data itself, so "
            "nobody can see whether it uses or shows them otherwise."
        )
        return Seal(DECLARED, message, metrics)
    message = (
        "No test set is known, so nothing will say how good the chosen configuration is on data without a part in the "
        "choice. Give one in test_data() of a PyTorch workload, or report metrics named test/…: they are stored sealed."
    )
    return Seal(NONE, message)


def _has_test_data(study: Study) -> bool:
    document = Workload.objects.filter(name=study.workload).values_list("document", flat=True).first() or {}
    if document.get("kind") != "pytorch":
        return False
    if "test_data" in document:
        return bool(document["test_data"])
    split = split_of(study.workload)  # described before descriptions told it
    return split is not None and bool(split.sizes.get("test"))
