"""The reference numbers are counted by hand: a linear layer has in * out + out parameters, a convolution
k * k * in * out + out, an LSTM of one layer 4 * ((in + h) * h + 2 * h) in torch, attention 4 * d * d + 4 * d."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from tests.training.problems import PARAMS, Blobs
from tests.training.test_workloads import ALL, in_the_middle
from tuning.training.footprint import FootprintError, footprint, parameter_count

FLOAT = 4  # bytes


def made(build, shape, *, optimizer=None, batch_size=8, dtype=torch.float32):
    """A workload around a model, whose data nobody may read."""

    class Made(Blobs):
        def data(self):
            raise AssertionError("data were read")

        def input_example(self):
            return torch.empty(shape, dtype=dtype)

        def build_model(self, params):
            return build()

        def build_optimizer(self, model, params):
            return optimizer(model.parameters()) if optimizer else torch.optim.SGD(model.parameters(), lr=0.1)

    Made.batch_size = batch_size
    return Made()


def convolutions(*widths, bias=True):
    blocks = [nn.Conv2d(a, b, 3, padding=1, bias=bias) for a, b in pairwise(widths)]
    return nn.Sequential(*blocks)


class First(nn.Module):
    """The first of what a module returns; of attention, to the inputs themselves."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, inputs):
        if isinstance(self.module, nn.MultiheadAttention):
            return self.module(inputs, inputs, inputs, need_weights=False)[0]
        return self.module(inputs)[0]


@pytest.mark.parametrize(
    ("build", "shape", "parameters"),
    [
        (lambda: nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)), (64,), 4_810),
        (lambda: convolutions(3, 32, 64, 128), (3, 8, 8), 93_248),
        (lambda: nn.BatchNorm2d(32), (32, 4, 4), 2 * 32),
        (lambda: First(nn.LSTM(8, 16, batch_first=True)), (5, 8), 4 * ((8 + 16) * 16 + 2 * 16)),
        (lambda: First(nn.MultiheadAttention(512, 8, batch_first=True)), (4, 512), 1_050_624),
        (lambda: nn.Sequential(nn.LazyLinear(10), nn.LazyBatchNorm1d()), (64,), 64 * 10 + 10 + 2 * 10),
    ],
)
def test_parameters_are_counted_as_by_hand(build, shape, parameters):
    workload = made(build, shape)
    assert parameter_count(workload, {}) == footprint(workload, {}).parameters == parameters


def test_a_transformers_block_has_about_12_d_squared_parameters():
    d = 256
    block = made(lambda: nn.TransformerEncoderLayer(d, 4, 4 * d, batch_first=True), (16, d))
    assert parameter_count(block, {}) == 12 * d * d + 13 * d


def test_a_convolutions_operations_are_two_for_each_weight_at_each_place():
    h, w, c_in, c_out = 8, 6, 3, 5
    assert footprint(made(lambda: convolutions(c_in, c_out), (c_in, h, w)), {}).flops == 2 * h * w * 9 * c_in * c_out


def test_doubling_the_channels_where_the_sides_are_halved_keeps_the_operations():
    """He et al. 2016, section 3.3."""
    early = footprint(made(lambda: convolutions(32, 32), (32, 16, 16)), {}).flops
    late = footprint(made(lambda: convolutions(64, 64), (64, 8, 8)), {}).flops
    assert early == late


def test_attentions_operations_are_those_of_its_projections_and_of_its_two_products():
    n, d = 16, 64
    attention = made(lambda: First(nn.MultiheadAttention(d, 4, batch_first=True)), (n, d))
    assert footprint(attention, {}).flops == 2 * (4 * n * d * d + 2 * n * n * d)


def test_operations_are_of_one_example_whatever_the_batch():
    counts = {footprint(made(lambda: nn.Linear(10, 5), (10,), batch_size=n), {}).flops for n in (1, 8, 100)}
    assert counts == {2 * 10 * 5}


@pytest.mark.parametrize(
    ("optimizer", "numbers"),
    [
        (lambda p: torch.optim.SGD(p, lr=0.1), 0),
        (lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9), 1),
        (lambda p: torch.optim.Adam(p, lr=0.1), 2),
        (lambda p: torch.optim.AdamW(p, lr=0.1, amsgrad=True), 3),
        (lambda p: torch.optim.LBFGS(p, lr=0.1), 2),  # wants a closure: taken for Adam
        (lambda p: torch.optim.Adafactor(p, lr=0.1), 2),  # looks at numbers: the same
    ],
)
def test_the_optimizers_state_is_what_it_keeps_after_a_step(optimizer, numbers):
    found = footprint(made(lambda: nn.Linear(100, 50), (100,), optimizer=optimizer), {})
    weights = (100 * 50 + 50) * FLOAT
    assert (found.weights, found.gradients) == (weights, weights)
    assert numbers * weights <= found.optimizer <= numbers * weights + 2 * 4  # a count of steps for each tensor
    assert found.memory == found.weights + found.gradients + found.optimizer + found.activations


def test_frozen_parameters_have_no_gradients():
    def build():
        model = nn.Sequential(nn.Linear(10, 10), nn.Linear(10, 2))
        model[0].requires_grad_(False)
        return model

    found = footprint(made(build, (10,)), {})
    assert (found.parameters, found.gradients) == (132, 22 * FLOAT)


def test_activations_are_those_that_the_backward_pass_needs_each_once():
    """Of linear, relu, linear: the output of relu, which both relu and the second layer keep, and the last output.

    The inputs are data, and the weights are counted as such.
    """
    batch = 32
    build = lambda: nn.Sequential(nn.Linear(20, 50), nn.ReLU(), nn.Linear(50, 3))  # noqa: E731
    found = footprint(made(build, (20,), batch_size=batch), {})
    assert found.activations == batch * (50 + 3) * FLOAT
    assert footprint(made(build, (20,), batch_size=2 * batch), {}).activations == 2 * found.activations


def test_the_batch_is_the_configurations_own():
    workload = made(lambda: nn.Linear(20, 50), (20,), batch_size=10)
    assert footprint(workload, {"batch_size": 30}).activations == 3 * footprint(workload, {}).activations


def test_tokens_are_of_their_own_type():
    def build():
        return nn.Sequential(nn.Embedding(1000, 16), nn.Flatten(), nn.Linear(7 * 16, 2))

    workload = made(build, (7,), dtype=torch.int64)
    assert footprint(workload, {}).parameters == 1000 * 16 + 7 * 16 * 2 + 2


def test_no_memory_is_taken_by_a_model_of_a_hundred_billion_parameters():
    huge = made(lambda: nn.Sequential(*(nn.Linear(100_000, 100_000, bias=False) for _ in range(10))), (100_000,))
    assert footprint(huge, {}).parameters == 10**11


def test_counting_changes_no_random_numbers():
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    footprint(made(lambda: nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5)), (4,)), {})
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("cls", ALL)
def test_the_shipped_workloads_say_what_their_inputs_look_like(cls):
    example, real = cls().input_example(), cls().data().train[0][0]
    assert (example.shape, example.dtype) == (real.shape, real.dtype)
    params = in_the_middle(cls.space)
    model = cls().build_model(params)
    assert footprint(cls(), params).parameters == sum(p.numel() for p in model.parameters())


def test_without_a_word_of_the_workload_the_first_example_is_looked_at():
    assert Blobs().input_example().shape == (4,)
    assert footprint(Blobs(), PARAMS).parameters == 4 * 16 + 16 + 2 * 16 + 16 * 2 + 2


class Looks(nn.Module):
    def forward(self, inputs):
        return inputs if float(inputs.sum()) > 0 else -inputs


@pytest.mark.parametrize(
    ("build", "what"), [(Looks, r"forward\(\)"), (lambda: nn.Linear(4, 2).oops, r"build_model\(\)")]
)
def test_a_model_that_cannot_do_without_numbers_says_where_and_what_to_do(build, what):
    with pytest.raises(FootprintError, match=rf"{what} fails on torch's meta device.*take the limits .* away"):
        footprint(made(build, (4,)), {})
