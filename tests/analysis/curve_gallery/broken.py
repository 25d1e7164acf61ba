"""Trainings that go wrong in the optimiser's hands: they diverge, rise, jump or never begin.

Neighbours belong to one family of interventions: the first of a pair goes to the half that may be seen, the second to
the other.
"""

from tests.analysis.curve_gallery.example import Example as E

BROKEN = [
    # A learning rate far too high.
    E("rate far too high", "SGD with momentum 0.9 at 40 times the usual rate, regression", "diabetes", 1, 30,
      ("diverged",), {"lr": 0.4, "batch_size": 64}, {"sgd": 0.9}),
    E("rate far too high", "SGD with momentum 0.95 at a rate of 0.5, classification", "digits", 2, 25,
      ("diverged",), {"lr": 0.5, "layers": 2, "units": 32}, {"sgd": 0.95}),
    E("rate far too high", "AdamW at a rate of 3", "digits", 3, 40, ("underfit", "spikes"), {"lr": 3.0, "layers": 2},
      {},
      "meant to diverge: it jumps about just above guessing"),
    E("rate far too high", "AdamW at a rate of 1, three layers", "cancer", 4, 45,
      ("underfit", "spikes"), {"lr": 1.0, "layers": 3}, {},
      "meant to diverge: begins 90 times above guessing and stays at guessing from epoch 4"),
    # A rate that grows.
    E("rate that grows", "the schedule multiplies the rate by 1.6 every epoch where it should divide", "diabetes", 5,
      40,
      ("diverged",), {"lr": 1e-4, "units": 32}, {"sgd": 0.9, "rate_growth": 1.6}),
    E("rate that grows", "the schedule multiplies the rate by 1.5 every epoch, a transformer", "transformer", 6, 24,
      ("diverged", "train_rises"), {"lr": 1e-4, "warmup": 0.0}, {"rate_growth": 1.5}),
    # Numbers that stop being numbers.
    E("not a number", "cross-entropy written as log(softmax) without a guard, at a high rate", "digits", 7, 40,
      ("diverged",), {"lr": 4e-3, "units": 128}, {"unguarded_log": True, "rate_growth": 1.1}),
    E("not a number", "binary cross-entropy written as log(sigmoid) without a guard", "cancer", 8, 60,
      ("diverged",), {"lr": 3e-3, "units": 32, "layers": 2}, {"unguarded_log": True}),
    E("not a number", "a NaN in a data file that is read from epoch 13 on", "cnn", 9, 20,
      ("diverged",), {"lr": 0.003}, {"nan_from": 13}),
    E("not a number", "a NaN in a data file that is read from epoch 22 on, regression", "diabetes", 10, 30,
      ("diverged",), {"dropout": 0.3, "units": 16}, {"nan_from": 22}),
    # Ascent.
    E("sign of the loss turned", "the sign of the loss turns in epoch 20, full strength", "digits", 11, 30,
      ("diverged", "train_rises"), {}, {"ascent_from": (20, 1.0)}),
    E("sign of the loss turned", "the sign of the loss turns in epoch 14, full strength, small network", "cancer", 12,
      32,
      ("train_rises", "diverged"), {"units": 8, "layers": 1}, {"ascent_from": (14, 1.0)}),
    E("sign of the loss turned", "the sign of a loss turns late, slow optimiser", "cancer", 13, 40,
      ("train_rises",), {"lr": 0.02, "units": 16}, {"sgd": 0.0, "ascent_from": (30, 1.0)}),
    E("sign of the loss turned", "the sign of a loss turns late, slow optimiser, regression", "diabetes", 14, 36,
      ("train_rises",), {"lr": 0.003, "units": 24}, {"sgd": 0.0, "ascent_from": (27, 1.0)}),
    # Another objective than the one that is reported.
    E("objective changes late", "after a resume the class list is in another order", "digits", 15, 40,
      ("train_rises",), {"lr": 3e-4}, {"relabelled_from": 31}),
    E("objective changes late", "after a resume the target has the other sign", "diabetes", 16, 45,
      ("train_rises",), {"lr": 3e-4, "units": 32}, {"relabelled_from": 34}),
    E("penalty switched on late", "an L1 penalty that is not reported is switched on in epoch 29", "digits", 17, 33,
      ("train_rises",), {"lr": 1e-3}, {"penalty_from": (29, 0.01)}),
    E("penalty switched on late", "an L1 penalty that is not reported is switched on in epoch 12", "cnn", 18, 20,
      ("train_rises",), {"lr": 2e-3}, {"penalty_from": (12, 0.02)},
      "rises from 0.17 to 0.45 and has fallen to 0.40 by the end"),
    E("weights shrink late", "weights are multiplied by 0.98 at every step from epoch 25", "cancer", 19, 50,
      ("train_rises",), {"lr": 1e-3, "units": 32}, {"decay_from": (25, 0.98)}),
    E("weights shrink late", "weights are multiplied by 0.99 at every step from epoch 16", "transformer", 20, 22,
      ("train_rises",), {}, {"decay_from": (16, 0.99)}),
    # Sudden jumps.
    E("edge of stability", "SGD with momentum 0.99 and a rate that is just too high", "digits", 21, 50,
      ("spikes", "noise"), {"lr": 0.03}, {"sgd": 0.99}),
    E("edge of stability", "SGD with momentum 0.99 and a rate that is just too high", "cancer", 22, 60,
      ("spikes", "overfit"), {"lr": 0.06, "layers": 2, "units": 32}, {"sgd": 0.99}),
    E("edge of stability", "AdamW at 0.04, three layers", "digits", 23, 50, ("spikes",), {"lr": 0.04, "layers": 3}),
    E("edge of stability", "SGD with momentum 0.98 at 0.5, a convolutional network", "cnn", 24, 20, ("spikes",),
      {"optimizer": "sgd", "lr": 0.5, "momentum": 0.98}),
    E("rate that blips", "the rate is 60 times too high every eighth epoch", "digits", 25, 48,
      ("spikes",), {"lr": 1e-3, "units": 48}, {"rate_blips": (8, 60.0)}),
    E("rate that blips", "the rate is 60 times too high every seventh epoch", "diabetes", 26, 50,
      ("spikes",), {"lr": 2e-3, "units": 24, "dropout": 0.2}, {"rate_blips": (7, 60.0)}),
    E("corrupt batches", "every 211th batch is 60 times too bright", "digits", 27, 45,
      ("spikes", "healthy"), {"lr": 1e-3}, {"sgd": 0.9, "corrupt": (211, 60.0)}),
    E("corrupt batches", "every 67th batch is 100 times too large, no gradient clipping", "cancer", 28, 55,
      ("spikes", "train_rises"), {"lr": 0.01, "units": 16}, {"sgd": 0.9, "corrupt": (67, 100.0)}),
    E("short memory of the optimiser", "AdamW with a second moment of 0.5 at 0.02", "cancer", 29, 60,
      ("diverged", "train_rises"), {"lr": 0.02, "units": 64}, {"betas": (0.9, 0.5)},
      "meant to jump: it explodes to 1e12, finite to the end"),
    E("short memory of the optimiser", "AdamW with a second moment of 0.6 at 0.02, a transformer", "transformer", 30,
      24,
      ("plateau", "healthy"), {"lr": 0.02, "warmup": 0.0}, {"betas": (0.9, 0.6)},
      "meant to jump: the falling rate of the schedule kept it calm"),
]  # fmt: skip
