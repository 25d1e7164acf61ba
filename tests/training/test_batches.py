import pytest
import torch

from tuning.training import TensorDataset
from tuning.training.batches import Batches


def rows(size):
    return TensorDataset(torch.arange(float(size)), torch.arange(size))


def test_without_a_generator_the_order_is_the_datasets():
    batches = Batches(rows(7), 3)
    assert [inputs.tolist() for inputs, _ in batches] == [[0, 1, 2], [3, 4, 5], [6]]
    assert len(batches) == 3


def test_every_pass_draws_a_new_order_of_all_rows():
    batches = Batches(rows(8), 4, torch.Generator().manual_seed(1))
    passes = [torch.cat([inputs for inputs, _ in batches]).tolist() for _ in range(2)]
    assert passes[0] != passes[1]
    assert [sorted(order) for order in passes] == [list(range(8))] * 2


def test_inputs_and_targets_stay_together():
    for inputs, targets in Batches(rows(10), 4, torch.Generator().manual_seed(1)):
        assert torch.equal(inputs.long(), targets)


@pytest.mark.parametrize(("size", "sizes"), [(9, [4, 4]), (10, [4, 4, 2]), (8, [4, 4]), (1, [1])])
def test_a_last_training_batch_of_one_is_left_out(size, sizes):
    batches = Batches(rows(size), 4, torch.Generator().manual_seed(1))
    assert [len(inputs) for inputs, _ in batches] == sizes
    assert len(batches) == len(sizes)


def test_the_row_that_is_left_out_is_another_in_every_pass():
    batches = Batches(rows(5), 4, torch.Generator().manual_seed(1))
    seen = {value for _ in range(20) for inputs, _ in batches for value in inputs.tolist()}
    assert seen == set(range(5))


def test_a_batch_size_below_one_is_refused():
    with pytest.raises(ValueError, match="at least 1, not 0"):
        Batches(rows(5), 0)
