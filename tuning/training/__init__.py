"""How a model is trained: the contract of a workload, the loop, checkpoints and splits. Needs torch."""

from torch.utils.data import Dataset, TensorDataset

from tuning.training.checkpoint import CheckpointError, CheckpointFolder, DiskFullError, load_checkpoint
from tuning.training.contract import WorkloadError, check_workload
from tuning.training.determinism import DeviceError
from tuning.training.evaluation import evaluate
from tuning.training.loop import DivergedError, Listener, Outcome, Run, train
from tuning.training.lr_finder import LRCurve, lr_range_test, model_range_test
from tuning.training.splits import (
    SealedTestError,
    Splits,
    opened_seal,
    quantile_bins,
    stratified_split,
)
from tuning.training.workload import Metric, Params, Workload

__all__ = [
    "CheckpointError",
    "CheckpointFolder",
    "Dataset",
    "DeviceError",
    "DiskFullError",
    "DivergedError",
    "LRCurve",
    "Listener",
    "Metric",
    "Outcome",
    "Params",
    "Run",
    "SealedTestError",
    "Splits",
    "TensorDataset",
    "Workload",
    "WorkloadError",
    "check_workload",
    "evaluate",
    "load_checkpoint",
    "lr_range_test",
    "model_range_test",
    "opened_seal",
    "quantile_bins",
    "stratified_split",
    "train",
]
