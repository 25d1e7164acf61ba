"""The finder on real models: its brackets on the digits, known stability limits, and that it leaves nothing behind."""

import hashlib
import pickle
import random

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import SGD, Adam, AdamW

from tests.training.problems import PARAMS, Blobs
from tuning.training import Splits, TensorDataset, Workload, lr_range_test, model_range_test
from tuning.training.batches import Batches
from tuning.training.defaults import defaults
from tuning.training.workloads.digits_cnn import DigitsCNN
from tuning.training.workloads.digits_mlp import DigitsMLP

SMALL = {"lr": 0.01, "weight_decay": 0.0, "dropout": 0.0, "batch_size": 64, "layers": 1, "units": 64}


class WithSGD(DigitsMLP):
    name = "digits_sgd"

    def build_optimizer(self, model, params):
        return SGD(model.parameters(), lr=params["lr"])


class WithAdam(DigitsMLP):
    name = "digits_adam"

    def build_optimizer(self, model, params):
        return Adam(model.parameters(), lr=params["lr"])


class Frozen(DigitsMLP):
    """Whatever the learning rate, nothing is learnt."""

    name = "frozen"

    def build_optimizer(self, model, params):
        return SGD([nn.Parameter(torch.zeros(1))], lr=params["lr"])


# seeds that none of the rules was chosen with
@pytest.mark.parametrize("seed", range(100, 106))
@pytest.mark.parametrize("params", [SMALL, defaults(DigitsMLP.space)], ids=["small", "defaults"])
def test_on_the_digits_the_bracket_holds_what_trains(params, seed):
    valley, steepest = lr_range_test(WithSGD(), params, seed=seed).bracket
    assert 0.05 <= valley < steepest <= 2
    for workload in (WithAdam(), DigitsMLP()):
        valley, steepest = lr_range_test(workload, params, seed=seed).bracket
        assert 0.001 <= valley < steepest <= 0.1


@pytest.mark.parametrize(("optimizer", "low", "high"), [("sgd", 3e-4, 0.3), ("adamw", 1e-4, 0.1)])
def test_a_network_with_batch_norm_augmentation_and_penalty_gives_a_bracket(optimizer, low, high):
    valley, steepest = lr_range_test(DigitsCNN(), defaults(DigitsCNN.space, {"optimizer": optimizer})).bracket
    assert low <= valley < steepest <= high


def test_the_same_seed_gives_the_same_curve_and_another_seed_another():
    first, again, other = (lr_range_test(DigitsCNN(), defaults(DigitsCNN.space), seed=s, steps=30) for s in (1, 1, 2))
    assert first.losses == again.losses != other.losses


# --- a quadratic -------------------------------------------------------------------------------------------------
class LeastSquares(Workload):
    """½ mean (x·w - y)² whose largest curvature is `curvature`: gradient descent diverges above 2 / curvature."""

    name = "least_squares"
    space = {"lr": {"type": "float", "low": 1e-3, "high": 1.0, "log": True}}

    def __init__(self, curvature, seed):
        super().__init__()
        rng = np.random.default_rng(seed)
        x = rng.standard_normal((1024, 8))
        x *= np.sqrt(curvature / np.linalg.eigvalsh(x.T @ x / len(x))[-1])
        y = x @ rng.standard_normal(8) * 3 / np.sqrt(curvature) + rng.standard_normal(len(x))
        self.examples = TensorDataset(*(torch.tensor(part, dtype=torch.float64) for part in (x, y)))

    def data(self):
        return Splits(self.examples, self.examples)

    def build_model(self, params):
        model = nn.Linear(8, 1, bias=False).double()
        nn.init.zeros_(model.weight)
        return model

    def build_optimizer(self, model, params):
        return SGD(model.parameters(), lr=params["lr"])

    def loss(self, output, target):
        return (output.squeeze(1) - target).square().mean() / 2


def test_on_a_quadratic_it_stops_at_a_small_multiple_of_the_stability_limit():
    """In units of 2 / L the stop lies in [2, 6] for each L, and is the same for all within 15 %."""
    ratios = []
    for curvature in (1.0, 10.0, 100.0):
        stops = []
        for seed in range(5):
            curve = lr_range_test(LeastSquares(curvature, seed), {"lr": 0.1}, low=1e-6, high=100.0, seed=seed)
            assert curve.ended == "diverged"
            assert curve.bracket[1] < 2 / curvature, "what is suggested is stable"
            stops.append(curve.lrs[-1] * curvature / 2)
        ratios.append(float(np.median(stops)))
    assert all(2 <= ratio <= 6 for ratio in ratios)
    assert max(ratios) / min(ratios) <= 1.15


def test_with_all_examples_in_a_batch_the_stop_scales_as_well():
    stops = []
    for curvature in (1.0, 10.0, 100.0):
        params = {"lr": 0.1, "batch_size": 1024}
        curve = lr_range_test(LeastSquares(curvature, 0), params, low=1e-5, high=100.0, steps=300)
        stops.append(curve.lrs[-1] * curvature / 2)
    assert max(stops) / min(stops) <= 1.15


# --- loaders, groups, ends ---------------------------------------------------------------------------------------
def test_a_loader_with_few_batches_is_read_again_and_again():
    """Trap: an epoch of the digits has 17 batches of 64, 5 of 256 and one of 1078; a test takes 100."""
    for size in (64, 256, 1078):
        curve = lr_range_test(DigitsMLP(), {**SMALL, "batch_size": size}, seed=3)
        assert len(curve.lrs) > 60
        assert 5e-4 <= curve.bracket[0] < curve.bracket[1] <= 0.2, size


class Once(DigitsMLP):
    """A loader that can be read once."""

    name = "once"

    def train_loader(self, dataset, params, generator):
        return iter(list(super().train_loader(dataset, params, generator))[: params["batches"]])


@pytest.mark.parametrize(("batches", "words"), [(0, "no batch in it: look at the data"), (3, "can be read again")])
def test_a_loader_that_runs_dry_is_named(batches, words):
    with pytest.raises(ValueError, match=words):
        lr_range_test(Once(), {**SMALL, "batches": batches})


class TwoGroups(Workload):
    """Its first layer learns ten times as slowly, and everything at twice the parameter."""

    name = "two_groups"
    seen: list[tuple[float, ...]] = []
    space = Blobs.space
    data, loss = Blobs.data, Blobs.loss

    def build_model(self, params):
        return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))

    def build_optimizer(self, model, params):
        lr = 2 * params["lr"]
        self.optimizer = SGD(
            [{"params": model[0].parameters(), "lr": lr / 10}, {"params": model[2].parameters()}], lr=lr
        )
        return self.optimizer

    def train_step(self, model, inputs, targets, params):
        self.seen.append(tuple(group["lr"] for group in self.optimizer.param_groups))
        return self.loss(model(inputs), targets)


def test_every_group_gets_its_rate_and_the_axis_shows_the_parameter():
    TwoGroups.seen = []
    curve = lr_range_test(TwoGroups(), {"lr": 0.03}, low=1e-4, high=1.0, steps=40)
    assert len(TwoGroups.seen) >= len(curve.lrs) == 40
    for rate, (slow, fast) in zip(curve.lrs, TwoGroups.seen, strict=False):
        assert (slow, fast) == pytest.approx((0.2 * rate, 2 * rate))


def test_a_parameter_of_another_name_is_the_axis():
    class Renamed(TwoGroups):
        name = "renamed"

        def build_optimizer(self, model, params):
            return super().build_optimizer(model, {"lr": params["eta"]})

    TwoGroups.seen = []
    lr_range_test(Renamed(), {"eta": 0.5}, parameter="eta", low=1e-4, high=1.0, steps=20)
    assert TwoGroups.seen[0] == pytest.approx((2e-5, 2e-4))


def test_a_learning_rate_of_zero_has_no_ratios():
    with pytest.raises(ValueError, match="the parameter 'lr' is 0; build the optimizer with one above 0"):
        lr_range_test(WithSGD(), {**SMALL, "lr": 0.0})


class BlowsUp(DigitsMLP):
    name = "blows_up"

    def train_step(self, model, inputs, targets, params):
        self.steps = getattr(self, "steps", 0) + 1
        return super().train_step(model, inputs, targets, params) * (float("nan") if self.steps > params["good"] else 1)


@pytest.mark.parametrize("good", [60, 5, 0])
def test_a_loss_that_is_not_finite_ends_the_test_and_is_dropped(good):
    curve = lr_range_test(BlowsUp(), {**SMALL, "good": good})
    assert (curve.ended, len(curve.lrs), len(curve.losses), len(curve.smoothed)) == ("not finite", good, good, good)
    assert np.isfinite(curve.losses).all()
    if good < 17:
        assert curve.bracket is None and f"after {good} loss" in curve.reason


@pytest.mark.parametrize("seed", range(6))
def test_a_model_that_learns_nothing_gets_no_suggestion(seed):
    curve = lr_range_test(Frozen(), SMALL, seed=seed)
    assert curve.bracket is None
    assert "The curve is flat" in curve.reason


def test_a_stop_between_two_steps_keeps_what_there_is():
    asked = iter([False] * 30 + [True])
    curve = lr_range_test(DigitsMLP(), SMALL, stop=lambda: next(asked))
    assert (curve.ended, len(curve.losses)) == ("stopped", 30)
    assert curve.reason == "The test was stopped."


def test_weight_decay_dropout_and_penalty_are_those_of_a_trial():
    """Trap: a test without them finds another learning rate. The loss that is reported is the trials' all the same."""
    plain = lr_range_test(Blobs(), {**PARAMS, "l1": 0.0, "dropout": 0.0}, steps=60)
    held = lr_range_test(Blobs(), {**PARAMS, "l1": 0.3, "dropout": 0.0}, steps=60)
    dropped = lr_range_test(Blobs(), {**PARAMS, "l1": 0.0, "dropout": 0.5}, steps=60)
    assert plain.losses[0] == pytest.approx(held.losses[0]), "before the first step, and without the penalty"
    assert plain.losses[40] != pytest.approx(held.losses[40], rel=1e-3)
    assert plain.losses[0] != pytest.approx(dropped.losses[0], rel=1e-3)


def test_the_workloads_schedule_does_not_move_the_rates():
    """Blobs has a one-cycle schedule, whose construction alone would change every group."""
    curve = lr_range_test(Blobs(), PARAMS, low=1e-4, high=1.0, steps=20)
    assert curve.lrs == pytest.approx(list(1e-4 * 1e4 ** (np.arange(20) / 19)))


# --- nothing is left behind --------------------------------------------------------------------------------------
class Counting(nn.Module):
    """A model with all that a training can change: a buffer that is saved, one that is not, and its own state."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 2))
        self.register_buffer("calls", torch.zeros(1), persistent=False)
        self.said = {"calls": 0}

    def forward(self, inputs):
        self.calls = self.calls + 1  # another tensor, not the same one changed
        self.said["calls"] += 1
        return self.layers(inputs)

    def get_extra_state(self):
        return dict(self.said)

    def set_extra_state(self, state):
        self.said = dict(state)


def hash_of(model, optimizer):
    """A digest of weights, buffers, gradients, optimizer, learning rates, modes and every global random generator."""
    digest = hashlib.sha256()
    numbers = [*model.state_dict().values(), *model.buffers()]
    numbers += [weight.grad for weight in model.parameters()]
    for value in numbers:
        digest.update(value.numpy().tobytes() if isinstance(value, torch.Tensor) else repr(value).encode())
    for group in optimizer.param_groups:
        digest.update(repr({name: value for name, value in group.items() if name != "params"}).encode())
    for weight in model.parameters():
        for name, value in sorted(optimizer.state.get(weight, {}).items()):
            digest.update(name.encode() + torch.as_tensor(value).numpy().tobytes())
    digest.update(repr([module.training for module in model.modules()]).encode())
    digest.update(pickle.dumps((random.getstate(), np.random.get_state(), torch.get_rng_state().tolist())))
    return digest.hexdigest()


def trained_pair(make):
    torch.manual_seed(3)
    model = Counting()
    first, rest = model.layers[0].parameters(), model.layers[1:].parameters()
    optimizer = make([{"params": first, "lr": 0.001}, {"params": rest}])
    for _ in range(3):
        optimizer.zero_grad()
        model(torch.randn(16, 4)).square().mean().backward()
        optimizer.step()
    model.train(False)
    model.layers[1].train()  # a mode of its own
    return model, optimizer


def batches():
    return Batches(Blobs().data().train, 16, torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    "make",
    [
        lambda groups: SGD(groups, lr=0.01, momentum=0.9),
        lambda groups: AdamW(groups, lr=0.01),
        lambda groups: SGD(groups, lr=0.01),
    ],
    ids=["momentum", "adamw", "stateless"],
)
def test_a_given_model_is_left_as_it_was_found(make):
    model, optimizer = trained_pair(make)
    before, buffer = hash_of(model, optimizer), model.calls
    curve = model_range_test(model, optimizer, batches(), F.cross_entropy, low=1e-5, high=10.0)
    assert len(curve.lrs) > 50
    assert hash_of(model, optimizer) == before
    assert model.calls is buffer
    weights = {id(weight) for group in optimizer.param_groups for weight in group["params"]}
    assert weights == {id(weight) for weight in model.parameters()}, "and the optimizer still trains this model"


def test_the_hash_would_see_a_training():
    model, optimizer = trained_pair(lambda groups: AdamW(groups, lr=0.01))
    before = hash_of(model, optimizer)
    for change in (
        lambda: torch.rand(1),
        lambda: random.random(),
        lambda: np.random.rand(),
        lambda: model.train(),
        lambda: model.calls.add_(1),
        lambda: optimizer.param_groups[0].update(lr=0.5),
        lambda: optimizer.step(),
    ):
        change()
        assert hash_of(model, optimizer) != before
        before = hash_of(model, optimizer)


def test_it_is_left_as_it_was_also_after_an_error():
    model, optimizer = trained_pair(lambda groups: SGD(groups, lr=0.01, momentum=0.9))
    before = hash_of(model, optimizer)
    count = iter(range(100))

    def loss(output, target):
        if next(count) == 20:
            raise RuntimeError("a batch that cannot be used")
        return F.cross_entropy(output, target)

    with pytest.raises(RuntimeError, match="cannot be used"):
        model_range_test(model, optimizer, batches(), loss)
    assert hash_of(model, optimizer) == before


def test_a_fresh_optimizer_has_no_state_afterwards():
    model = Counting()
    optimizer = AdamW(model.parameters(), lr=0.01)
    model_range_test(model, optimizer, batches(), F.cross_entropy, steps=20)
    assert not optimizer.state
    assert all(weight.grad is None for weight in model.parameters())


def test_a_workloads_test_leaves_the_random_generators_alone():
    before = pickle.dumps((random.getstate(), np.random.get_state(), torch.get_rng_state().tolist()))
    lr_range_test(Blobs(), PARAMS, steps=20)
    assert pickle.dumps((random.getstate(), np.random.get_state(), torch.get_rng_state().tolist())) == before
