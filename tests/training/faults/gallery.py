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
    "BASELINES", "INIT-LOSS", "OVERFIT", "INPUT-FREE", "SHUFFLED", "DUPLICATES", "LABELS",
    "FINITE", "CONSTANT", "NORMALISED", "GRADIENTS", "REPEATS", "LOSS-FALLS",
)  # fmt: skip
LATER = ("TARGET-LEAK", "TEST-LABELS")  # rules that were not there when the gallery was written


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
    _failed(split.SplitInFileOrder, "LABELS"),
    _failed(split.ValidationOfOneClass, "LABELS"),
    # The sealed test split is looked at after all trainings, hence by a rule of its own.
    _warning(split.TestOfOneClass, "LABELS", "TEST-LABELS"),
    _warning(split.ClassMissingInTrain, "LABELS"),
    _warning(split.NearlyOneClass, "LABELS"),
    _warning(split.SortedByTarget, "LABELS", "BASELINES"),
    _failed(split.CodesOfEachSplit, "BASELINES", "INPUT-FREE"),
    _failed(split.LabelsOffByOne, "BASELINES", "INPUT-FREE"),
    _failed(split.TargetsOffByOne, "BASELINES", "INPUT-FREE"),
    # A linear model that is perfect need not be suspicious (wine's is); one feature that says it all is.
    _warning(split.LabelAmongFeatures, "BASELINES", "TARGET-LEAK"),
    _warning(split.TargetAmongFeatures, "BASELINES", "TARGET-LEAK"),
    # Numbers that are none
    _failed(table.MissingAsNaN, "FINITE"),
    _failed(table.PixelsByTheirStd, "FINITE"),
    _failed(table.LogOfZero, "FINITE"),
    _failed(table.NaNInValidationOnly, "FINITE"),
    _failed(table.RatioByZero, "FINITE"),
    # Features
    _warning(table.ColumnOfOnes, "CONSTANT"),
    _warning(table.FailedJoin, "CONSTANT"),
    _warning(table.ConstantInTrainOnly, "CONSTANT"),
    _failed(table.CastToBytes, "INPUT-FREE", "BASELINES", "OVERFIT", "CONSTANT", "DUPLICATES"),
    _warning(table.RawMicrometres, "NORMALISED"),
    _warning(table.RawUnits, "NORMALISED"),
    _warning(table.OneColumnForgotten, "NORMALISED"),
    _warning(table.BytesLeftRaw, "NORMALISED"),
    _warning(table.ValidationLeftRaw, "NORMALISED", "BASELINES"),
    _warning(table.ColumnsInOtherOrder, "NORMALISED", "BASELINES"),
    # LABELS looks at the scale of targets, NORMALISED at that of inputs; learning them is slow, but nothing is broken.
    _warning(table.TargetTimesThousand, "LABELS", "NORMALISED", "OVERFIT", "BASELINES"),
    _warning(table.TargetInRawUnits, "INIT-LOSS", "NORMALISED", "BASELINES"),
    # How the model starts
    _failed(model.HugeHead, "INIT-LOSS"),
    _warning(model.BiasOfAnotherTask, "INIT-LOSS"),
    _failed(model.OutputStartsAtHundred, "INIT-LOSS"),
    # What the model can express
    _failed(model.SoftmaxBeforeCrossEntropy, "OVERFIT"),
    _failed(model.SigmoidTwice, "OVERFIT"),
    _failed(model.ReluAtTheEnd, "OVERFIT"),
    _failed(model.SigmoidForTarget, "OVERFIT"),
    _failed(model.PooledOverTheBatch, "INPUT-FREE", "OVERFIT", "BASELINES"),
    _failed(model.DeadRectifiers, "GRADIENTS", "INPUT-FREE", "OVERFIT", "BASELINES"),
    _failed(model.BatchOfOne, "LOSS-FALLS", "BASELINES", "GRADIENTS", "OVERFIT", "REPEATS"),
    _warning(model.NormalisedAway, "OVERFIT", "BASELINES"),
    _warning(model.DropoutOfNearlyAll, "BASELINES", "LOSS-FALLS"),
    _warning(model.DropoutThatNeverEnds, "OVERFIT", "BASELINES", "REPEATS"),
    # Where the gradient ends
    _failed(gradient.DetachInTheMiddle, "GRADIENTS"),
    _failed(gradient.EncoderWithoutGrad, "GRADIENTS"),
    _warning(gradient.UnusedLayer, "GRADIENTS"),
    _warning(gradient.FrozenForEver, "GRADIENTS"),
    _warning(gradient.LayersInAList, "GRADIENTS"),
    _failed(gradient.RoundedInTheMiddle, "GRADIENTS"),
    _warning(gradient.SaturatedGate, "GRADIENTS"),
    _warning(gradient.OnlyTheLastLayer, "GRADIENTS"),
    _failed(gradient.ParametersOfACopy, "LOSS-FALLS", "GRADIENTS", "OVERFIT", "BASELINES"),
    # The loss and the score
    _failed(loss.LossWithoutMinus, "INIT-LOSS", "BASELINES", "OVERFIT"),
    _failed(loss.GainInsteadOfLoss, "INIT-LOSS", "BASELINES", "OVERFIT"),
    _warning(loss.SoftmaxOverTheBatch, "INIT-LOSS"),
    _warning(loss.SummedLoss, "INIT-LOSS"),
    _failed(loss.BroadcastLoss, "OVERFIT", "BASELINES", "INPUT-FREE"),
    _failed(loss.WeightedToNothing, "BASELINES", "INIT-LOSS", "INPUT-FREE", "OVERFIT"),
    _warning(loss.AccuracyOfTheTarget, "SHUFFLED", "INPUT-FREE", "BASELINES"),
    _failed(loss.DetachedLoss, "LOSS-FALLS", "GRADIENTS", "OVERFIT", "BASELINES"),
    # What the training knows in advance
    _warning(loss.LabelsOfATeacher, "SHUFFLED"),
    _warning(training.LoaderOfItsOwn, "SHUFFLED"),
    _warning(model.WarmStart, "SHUFFLED", "INIT-LOSS"),
    # The optimizer and its schedule
    _failed(training.RateOfZero, "LOSS-FALLS", "BASELINES", "OVERFIT"),
    _failed(training.RateOfNothing, "LOSS-FALLS", "BASELINES"),
    _failed(training.RateOfTen, "LOSS-FALLS", "BASELINES", "FINITE"),
    _failed(training.WarmupThatNeverComes, "LOSS-FALLS", "BASELINES"),
    _warning(training.DecayToNothing, "LOSS-FALLS", "BASELINES"),
    _failed(training.DecayOfAHundred, "LOSS-FALLS", "BASELINES", "INPUT-FREE"),
    _failed(training.PenaltyAboveAll, "LOSS-FALLS", "BASELINES", "INPUT-FREE"),
    # The loader and augmentation
    _failed(training.InputsShuffledAlone, "BASELINES", "INPUT-FREE", "LOSS-FALLS"),
    _warning(training.SameBatchAgain, "BASELINES"),
    _warning(training.AugmentShufflesBatch, "BASELINES", "INPUT-FREE", "LOSS-FALLS"),
    _warning(training.ErasedAltogether, "BASELINES", "INPUT-FREE", "LOSS-FALLS"),
    _warning(training.NoiseInBytes, "BASELINES", "LOSS-FALLS"),
    _warning(training.FeaturesPermuted, "BASELINES"),
    # Randomness that no seed reaches
    _failed(random.NoiseOfItsOwn, "REPEATS"),
    _failed(random.NoiseByTheClock, "REPEATS"),
    _failed(random.OrderOfTheSystem, "REPEATS"),
    _failed(random.NumpySeededAnew, "REPEATS"),
    _failed(random.SeededAnew, "REPEATS"),
    _failed(random.WeightsFromRandom, "REPEATS"),
    _failed(random.SplitAtEveryCall, "REPEATS"),
    _failed(random.NoiseInPlace, "REPEATS"),
    _failed(random.CurriculumOfTheClass, "REPEATS"),
]

# Two runs in one process agree and two processes do not: a preflight that trains in a single process cannot see these.
BETWEEN_PROCESSES = [
    _failed(random.SplitByHash, "REPEATS"),
]
