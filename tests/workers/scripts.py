"""Training scripts as a person would write them; the README shows the first two."""

SKLEARN = """
from hpweb_client import current_trial
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import train_test_split

trial = current_trial({"alpha": 1e-4, "penalty": "l2"})
x, y = load_digits(return_X_y=True)
x_train, x_valid, y_train, y_valid = train_test_split(x / 16, y, test_size=0.25, random_state=0)
model = SGDClassifier(alpha=trial.params["alpha"], penalty=trial.params["penalty"], random_state=trial.seed)
for step in range(1, (trial.resource or 5) + 1):
    model.partial_fit(x_train, y_train, classes=range(10))
    if trial.report(step, {"validation/accuracy": model.score(x_valid, y_valid)}) != "continue":
        break
"""

TORCH = """
import argparse
import torch
from hpweb_client import current_trial
from sklearn.datasets import load_digits

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.1)
arguments = parser.parse_args()
trial = current_trial({"lr": arguments.lr})
torch.manual_seed(trial.seed)
x, y = (torch.tensor(part) for part in load_digits(return_X_y=True))
x = x.float() / 16
model = torch.nn.Linear(64, 10)
optimizer = torch.optim.SGD(model.parameters(), lr=arguments.lr)
if trial.resume_from:
    state = torch.load(trial.resume_from / "state.pt", weights_only=True)
    model.load_state_dict(state["model"])
for epoch in range(trial.resume_step + 1, (trial.resource or 10) + 1):
    for start in range(0, 1200, 100):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x[start : start + 100]), y[start : start + 100]).backward()
        optimizer.step()
    with torch.no_grad():
        loss = torch.nn.functional.cross_entropy(model(x[1200:]), y[1200:])
    decision = trial.report(epoch, {"validation/loss": loss})
    with trial.checkpoint(epoch) as folder:
        torch.save({"model": model.state_dict()}, folder / "state.pt")
    if decision != "continue":
        break
"""

SHELL = """
i=0
while [ $i -lt 4 ]; do
  i=$((i + 1))
  echo "epoch $i of $HPWEB_TRIAL"
  awk "BEGIN {printf \\"{\\\\\\"step\\\\\\": $i, \\\\\\"validation/loss\\\\\\": %g}\\\\n\\", $1 / $i}"
done
"""
