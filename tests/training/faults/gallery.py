"""Every planted fault, and the rules of which at least one must speak up; written without a look at the rules' code.

A fault of severity "failed" must gate the start by one of its rules; of one of severity "warning" a rule must at least
warn. Each class shows by its `planted()` that the fault is there, without the preflight.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.training.faults import data_faults as data
from tests.training.faults import model_faults as model
from tests.training.faults import training_faults as training
from tests.training.faults.sound import Sound

RULES = (
    "BASELINE", "INIT-LOSS", "OVERFIT-BATCH", "INPUT-INDEPENDENT", "SHUFFLED-LABELS", "DUPLICATES", "LABEL-BALANCE",
    "NON-FINITE", "CONSTANT-FEATURES", "NORMALISATION", "GRADIENTS", "REPRODUCIBLE", "LOSS-FALLS",
)  # fmt: skip


@dataclass(frozen=True)
class Fault:
    """A workload with one fault, the rules that may find it, and what the finding is at least."""

    name: str
    workload: type[Sound]
    rules: frozenset[str]
    severity: str


def _failed(workload: type[Sound], *rules: str) -> Fault:
    return Fault(workload.name, workload, frozenset(rules), "failed")


def _warning(workload: type[Sound], *rules: str) -> Fault:
    return Fault(workload.name, workload, frozenset(rules), "warning")


GALLERY = [
    # The same example in two splits
    _failed(data.OversampledBeforeSplit, "DUPLICATES"),
    _failed(data.BootstrapSplit, "DUPLICATES"),
    _failed(data.TrainedOnTheTest, "DUPLICATES"),
    _failed(data.TestRowsInDouble, "DUPLICATES"),
    _warning(data.OffByOneSlice, "DUPLICATES"),
    # Labels
    _failed(data.SplitInFileOrder, "LABEL-BALANCE"),
    _failed(data.ValidationOfOneClass, "LABEL-BALANCE"),
    _warning(data.TestOfOneClass, "LABEL-BALANCE"),
    _warning(data.ClassMissingInTrain, "LABEL-BALANCE"),
    _warning(data.NearlyOneClass, "LABEL-BALANCE"),
    _warning(data.SortedByTarget, "LABEL-BALANCE", "BASELINE"),
    _failed(data.CodesOfEachSplit, "BASELINE", "INPUT-INDEPENDENT"),
    _failed(data.LabelsOffByOne, "BASELINE", "INPUT-INDEPENDENT"),
    _failed(data.TargetsOffByOne, "BASELINE", "INPUT-INDEPENDENT"),
    _warning(data.LabelAmongFeatures, "BASELINE"),
    _warning(data.TargetAmongFeatures, "BASELINE"),
    # Numbers that are none
    _failed(data.MissingAsNaN, "NON-FINITE"),
    _failed(data.PixelsByTheirStd, "NON-FINITE"),
    _failed(data.LogOfZero, "NON-FINITE"),
    _failed(data.NaNInValidationOnly, "NON-FINITE"),
    _failed(data.RatioByZero, "NON-FINITE"),
    # Features
    _warning(data.ColumnOfOnes, "CONSTANT-FEATURES"),
    _warning(data.FailedJoin, "CONSTANT-FEATURES"),
    _warning(data.ConstantInTrainOnly, "CONSTANT-FEATURES"),
    _failed(data.CastToBytes, "INPUT-INDEPENDENT", "BASELINE", "OVERFIT-BATCH", "CONSTANT-FEATURES", "DUPLICATES"),
    _warning(data.RawMicrometres, "NORMALISATION"),
    _warning(data.RawUnits, "NORMALISATION"),
    _warning(data.OneColumnForgotten, "NORMALISATION"),
    _warning(data.BytesLeftRaw, "NORMALISATION"),
    _warning(data.ValidationLeftRaw, "NORMALISATION", "BASELINE"),
    _warning(data.ColumnsInOtherOrder, "NORMALISATION", "BASELINE"),
    _warning(data.TargetTimesThousand, "NORMALISATION", "OVERFIT-BATCH", "BASELINE"),
    _warning(data.TargetInRawUnits, "INIT-LOSS", "NORMALISATION", "BASELINE"),
    # How the model starts
    _failed(model.HugeHead, "INIT-LOSS"),
    _warning(model.BiasOfAnotherTask, "INIT-LOSS"),
    _failed(model.OutputStartsAtHundred, "INIT-LOSS"),
    # What the model can express
    _failed(model.SoftmaxBeforeCrossEntropy, "OVERFIT-BATCH"),
    _failed(model.SigmoidTwice, "OVERFIT-BATCH"),
    _failed(model.ReluAtTheEnd, "OVERFIT-BATCH"),
    _failed(model.SigmoidForTarget, "OVERFIT-BATCH"),
    _failed(model.PooledOverTheBatch, "INPUT-INDEPENDENT", "OVERFIT-BATCH", "BASELINE"),
    _failed(model.DeadRectifiers, "GRADIENTS", "INPUT-INDEPENDENT", "OVERFIT-BATCH", "BASELINE"),
    _failed(model.BatchOfOne, "LOSS-FALLS", "BASELINE", "GRADIENTS", "OVERFIT-BATCH", "REPRODUCIBLE"),
    _warning(model.NormalisedAway, "OVERFIT-BATCH", "BASELINE"),
    _warning(model.DropoutOfNearlyAll, "BASELINE", "LOSS-FALLS"),
    _warning(model.DropoutThatNeverEnds, "OVERFIT-BATCH", "BASELINE", "REPRODUCIBLE"),
    # Where the gradient ends
    _failed(model.DetachInTheMiddle, "GRADIENTS"),
    _failed(model.EncoderWithoutGrad, "GRADIENTS"),
    _warning(model.UnusedLayer, "GRADIENTS"),
    _warning(model.FrozenForEver, "GRADIENTS"),
    _warning(model.LayersInAList, "GRADIENTS"),
    _failed(model.RoundedInTheMiddle, "GRADIENTS"),
    _warning(model.SaturatedGate, "GRADIENTS"),
    _warning(model.OnlyTheLastLayer, "GRADIENTS"),
    _failed(model.ParametersOfACopy, "LOSS-FALLS", "GRADIENTS", "OVERFIT-BATCH", "BASELINE"),
    # The loss and the score
    _failed(training.LossWithoutMinus, "INIT-LOSS", "BASELINE", "OVERFIT-BATCH"),
    _failed(training.GainInsteadOfLoss, "INIT-LOSS", "BASELINE", "OVERFIT-BATCH"),
    _warning(training.SoftmaxOverTheBatch, "INIT-LOSS"),
    _warning(training.SummedLoss, "INIT-LOSS"),
    _failed(training.BroadcastLoss, "OVERFIT-BATCH", "BASELINE", "INPUT-INDEPENDENT"),
    _failed(training.WeightedToNothing, "BASELINE", "INIT-LOSS", "INPUT-INDEPENDENT", "OVERFIT-BATCH"),
    _warning(training.AccuracyOfTheTarget, "SHUFFLED-LABELS", "INPUT-INDEPENDENT", "BASELINE"),
    _failed(training.DetachedLoss, "LOSS-FALLS", "GRADIENTS", "OVERFIT-BATCH", "BASELINE"),
    # What the training knows in advance
    _warning(training.LabelsOfATeacher, "SHUFFLED-LABELS"),
    _warning(training.LoaderOfItsOwn, "SHUFFLED-LABELS"),
    _warning(model.WarmStart, "SHUFFLED-LABELS", "INIT-LOSS"),
    # The optimizer and its schedule
    _failed(training.RateOfZero, "LOSS-FALLS", "BASELINE", "OVERFIT-BATCH"),
    _failed(training.RateOfNothing, "LOSS-FALLS", "BASELINE"),
    _failed(training.RateOfTen, "LOSS-FALLS", "BASELINE", "NON-FINITE"),
    _failed(training.WarmupThatNeverComes, "LOSS-FALLS", "BASELINE"),
    _warning(training.DecayToNothing, "LOSS-FALLS", "BASELINE"),
    _failed(training.DecayOfAHundred, "LOSS-FALLS", "BASELINE", "INPUT-INDEPENDENT"),
    _failed(training.PenaltyAboveAll, "LOSS-FALLS", "BASELINE", "INPUT-INDEPENDENT"),
    # The loader and augmentation
    _failed(training.InputsShuffledAlone, "BASELINE", "INPUT-INDEPENDENT", "LOSS-FALLS"),
    _warning(training.SameBatchAgain, "BASELINE"),
    _warning(training.AugmentShufflesBatch, "BASELINE", "INPUT-INDEPENDENT", "LOSS-FALLS"),
    _warning(training.ErasedAltogether, "BASELINE", "INPUT-INDEPENDENT", "LOSS-FALLS"),
    _warning(training.NoiseInBytes, "BASELINE", "LOSS-FALLS"),
    _warning(training.FeaturesPermuted, "BASELINE"),
    # Randomness that no seed reaches
    _failed(model.NoiseOfItsOwn, "REPRODUCIBLE"),
    _failed(training.NoiseByTheClock, "REPRODUCIBLE"),
    _failed(training.OrderOfTheSystem, "REPRODUCIBLE"),
    _failed(training.NumpySeededAnew, "REPRODUCIBLE"),
    _failed(training.SeededAnew, "REPRODUCIBLE"),
    _failed(training.WeightsFromRandom, "REPRODUCIBLE"),
    _failed(training.SplitAtEveryCall, "REPRODUCIBLE"),
    _failed(training.NoiseInPlace, "REPRODUCIBLE"),
    _failed(training.CurriculumOfTheClass, "REPRODUCIBLE"),
]

# Two runs in one process agree and two processes do not: a preflight that trains in a single process cannot see these.
BETWEEN_PROCESSES = [
    _failed(training.SplitByHash, "REPRODUCIBLE"),
]
