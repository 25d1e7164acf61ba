"""Every planted fault, and the rules of which at least one must speak up; written without a look at the rules' code.

A fault of severity "failed" must gate the start by one of its rules; of one of severity "warning" a rule must at least
warn. Each class shows by its `planted()` that the fault is there, without the preflight.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.training.faults import gradient_faults as gradient
from tests.training.faults import loss_faults as loss
from tests.training.faults import model_faults as model
from tests.training.faults import random_faults as random
from tests.training.faults import split_faults as split
from tests.training.faults import table_faults as table
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
    _failed(split.OversampledBeforeSplit, "DUPLICATES"),
    _failed(split.BootstrapSplit, "DUPLICATES"),
    _failed(split.TrainedOnTheTest, "DUPLICATES"),
    _failed(split.TestRowsInDouble, "DUPLICATES"),
    _warning(split.OffByOneSlice, "DUPLICATES"),
    # Labels
    _failed(split.SplitInFileOrder, "LABEL-BALANCE"),
    _failed(split.ValidationOfOneClass, "LABEL-BALANCE"),
    _warning(split.TestOfOneClass, "LABEL-BALANCE"),
    _warning(split.ClassMissingInTrain, "LABEL-BALANCE"),
    _warning(split.NearlyOneClass, "LABEL-BALANCE"),
    _warning(split.SortedByTarget, "LABEL-BALANCE", "BASELINE"),
    _failed(split.CodesOfEachSplit, "BASELINE", "INPUT-INDEPENDENT"),
    _failed(split.LabelsOffByOne, "BASELINE", "INPUT-INDEPENDENT"),
    _failed(split.TargetsOffByOne, "BASELINE", "INPUT-INDEPENDENT"),
    _warning(split.LabelAmongFeatures, "BASELINE"),
    _warning(split.TargetAmongFeatures, "BASELINE"),
    # Numbers that are none
    _failed(table.MissingAsNaN, "NON-FINITE"),
    _failed(table.PixelsByTheirStd, "NON-FINITE"),
    _failed(table.LogOfZero, "NON-FINITE"),
    _failed(table.NaNInValidationOnly, "NON-FINITE"),
    _failed(table.RatioByZero, "NON-FINITE"),
    # Features
    _warning(table.ColumnOfOnes, "CONSTANT-FEATURES"),
    _warning(table.FailedJoin, "CONSTANT-FEATURES"),
    _warning(table.ConstantInTrainOnly, "CONSTANT-FEATURES"),
    _failed(table.CastToBytes, "INPUT-INDEPENDENT", "BASELINE", "OVERFIT-BATCH", "CONSTANT-FEATURES", "DUPLICATES"),
    _warning(table.RawMicrometres, "NORMALISATION"),
    _warning(table.RawUnits, "NORMALISATION"),
    _warning(table.OneColumnForgotten, "NORMALISATION"),
    _warning(table.BytesLeftRaw, "NORMALISATION"),
    _warning(table.ValidationLeftRaw, "NORMALISATION", "BASELINE"),
    _warning(table.ColumnsInOtherOrder, "NORMALISATION", "BASELINE"),
    _warning(table.TargetTimesThousand, "NORMALISATION", "OVERFIT-BATCH", "BASELINE"),
    _warning(table.TargetInRawUnits, "INIT-LOSS", "NORMALISATION", "BASELINE"),
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
    _failed(gradient.DetachInTheMiddle, "GRADIENTS"),
    _failed(gradient.EncoderWithoutGrad, "GRADIENTS"),
    _warning(gradient.UnusedLayer, "GRADIENTS"),
    _warning(gradient.FrozenForEver, "GRADIENTS"),
    _warning(gradient.LayersInAList, "GRADIENTS"),
    _failed(gradient.RoundedInTheMiddle, "GRADIENTS"),
    _warning(gradient.SaturatedGate, "GRADIENTS"),
    _warning(gradient.OnlyTheLastLayer, "GRADIENTS"),
    _failed(gradient.ParametersOfACopy, "LOSS-FALLS", "GRADIENTS", "OVERFIT-BATCH", "BASELINE"),
    # The loss and the score
    _failed(loss.LossWithoutMinus, "INIT-LOSS", "BASELINE", "OVERFIT-BATCH"),
    _failed(loss.GainInsteadOfLoss, "INIT-LOSS", "BASELINE", "OVERFIT-BATCH"),
    _warning(loss.SoftmaxOverTheBatch, "INIT-LOSS"),
    _warning(loss.SummedLoss, "INIT-LOSS"),
    _failed(loss.BroadcastLoss, "OVERFIT-BATCH", "BASELINE", "INPUT-INDEPENDENT"),
    _failed(loss.WeightedToNothing, "BASELINE", "INIT-LOSS", "INPUT-INDEPENDENT", "OVERFIT-BATCH"),
    _warning(loss.AccuracyOfTheTarget, "SHUFFLED-LABELS", "INPUT-INDEPENDENT", "BASELINE"),
    _failed(loss.DetachedLoss, "LOSS-FALLS", "GRADIENTS", "OVERFIT-BATCH", "BASELINE"),
    # What the training knows in advance
    _warning(loss.LabelsOfATeacher, "SHUFFLED-LABELS"),
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
    _failed(random.NoiseOfItsOwn, "REPRODUCIBLE"),
    _failed(random.NoiseByTheClock, "REPRODUCIBLE"),
    _failed(random.OrderOfTheSystem, "REPRODUCIBLE"),
    _failed(random.NumpySeededAnew, "REPRODUCIBLE"),
    _failed(random.SeededAnew, "REPRODUCIBLE"),
    _failed(random.WeightsFromRandom, "REPRODUCIBLE"),
    _failed(random.SplitAtEveryCall, "REPRODUCIBLE"),
    _failed(random.NoiseInPlace, "REPRODUCIBLE"),
    _failed(random.CurriculumOfTheClass, "REPRODUCIBLE"),
]

# Two runs in one process agree and two processes do not: a preflight that trains in a single process cannot see these.
BETWEEN_PROCESSES = [
    _failed(random.SplitByHash, "REPRODUCIBLE"),
]
