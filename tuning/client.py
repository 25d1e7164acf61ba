"""The script's side of hpweb, in one file that needs the standard library only and may be copied beside a script.

A program that hpweb's workers start (an administrator has allowed it on that host) asks for its trial, reports,
and goes on until the answer is no longer "continue":

    from hpweb_client import current_trial  # this file, under the name that you gave it

    trial = current_trial({"lr": 0.01})  # what stands here is used where the program is started by hand
    for step in range(1, (trial.resource or 10) + 1):
        loss = train_one_epoch(trial.params["lr"])
        if trial.report(step, {"validation/loss": loss}) != "continue":
            break

A script that runs where you start it asks a server for configurations, trains them in its own process, and tells.
Its study has no workload:

    from tuning.client import Client, TrialPruned

    client = Client("http://127.0.0.1:8000", token="hp_…")
    study = client.create_study(
        "my net", metric="validation/loss", direction="minimize", n_trials=50,
        space={"lr": {"type": "float", "low": 1e-5, "high": 0.1, "log": True}},
    )
    study.start()

    def objective(trial):
        lr = trial.suggest_float("lr", 1e-5, 0.1, log=True)
        for epoch in range(1, 11):
            loss = train_one_epoch(lr)
            trial.report(loss, epoch)
            if trial.should_prune():
                raise TrialPruned
        return loss

    study.optimize(objective)
    print(study.best())

Errors are exceptions that carry the server's own words: `ApiError` and its kinds for what the server refused,
`ConnectionFailed` where it did not answer. Calls that may be repeated without harm are repeated when the
connection breaks; the others only when it is certain that they never arrived.
"""

import contextlib
import datetime
import http.client
import json
import math
import os
import random
import shutil
import socket
import ssl
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = [
    "ApiError",
    "Client",
    "Conflict",
    "ConnectionFailed",
    "CurrentTrial",
    "Forbidden",
    "HpwebError",
    "InvalidInput",
    "LeaseLost",
    "NoTrial",
    "NotFound",
    "ReportRefused",
    "ServerFault",
    "Study",
    "TooManyRequests",
    "Trial",
    "TrialPruned",
    "Unauthorized",
    "current_trial",
]

API_PATH = "/api/v1/"
STALE_LEASE = "urn:hpweb:problem:stale-lease"
REASON_LENGTH = 2_000  # characters of a failure's words that are sent
LONGEST_WAIT = 60.0  # seconds that a Retry-After or a backoff may ask for


# --- what can go wrong --------------------------------------------------------------------------------------
class HpwebError(Exception):
    """Base of everything that this module raises about the server."""


class ConnectionFailed(HpwebError):
    """The server could not be reached, or the connection broke, also after the retries."""


class ApiError(HpwebError):
    """The server refused a call. `status`, `title`, `detail` and `errors` ([{"field", "message"}]) are its
    words.
    """

    def __init__(self, status: int, document: Mapping[str, Any]) -> None:
        self.status = status
        self.type = str(document.get("type", "about:blank"))
        self.title = str(document.get("title", ""))
        self.detail = str(document.get("detail", ""))
        self.errors: list[dict[str, str]] = list(document.get("errors") or [])
        self.retry_after: float | None = None  # seconds, where the server said so
        super().__init__(f"{status} {self.title}: {self.detail}")


class InvalidInput(ApiError):
    """400: a field is wrong; `errors` names it."""


class Unauthorized(ApiError):
    """401: no valid token."""


class Forbidden(ApiError):
    """403: the token's owner may see this but not change it."""


class NotFound(ApiError):
    """404: there is no such thing, or the token's owner may not see it."""


class Conflict(ApiError):
    """409: the state of the study or trial forbids it."""


class LeaseLost(Conflict):
    """409: the trial is no longer this script's: it ended, was paused or stopped by a person, or the lease
    ran out.
    """


class TooManyRequests(ApiError):
    """429, also after the waits that the server asked for."""


class ServerFault(ApiError):
    """5xx: a fault of the server."""


class TrialPruned(Exception):
    """Raised by an objective that ends early because `should_prune` said so."""


class NoTrial(HpwebError):
    """`current_trial()` was called by a program that no worker of hpweb has started."""


class ReportRefused(HpwebError):
    """What a program reported cannot be taken; the message says what would be right."""


KINDS: dict[int, type[ApiError]] = {
    400: InvalidInput,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    429: TooManyRequests,
}


def api_error(status: int, document: Mapping[str, Any]) -> ApiError:
    """The exception for a problem document."""
    if document.get("type") == STALE_LEASE:
        return LeaseLost(status, document)
    return KINDS.get(status, ServerFault if status >= 500 else ApiError)(status, document)


# --- HTTP ---------------------------------------------------------------------------------------------------
class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the token to another address, so it is answered as an error."""

    def redirect_request(self, *_arguments: Any) -> None:
        return None


class Connection:
    """JSON over HTTP with a token, timeouts and retries."""

    def __init__(self, url: str, token: str, *, timeout: float, retries: int) -> None:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ValueError(f"The address {url!r} must be like http://host:8000 or https://host.")
        if not token or not token.isascii() or any(character.isspace() for character in token):
            raise ValueError("Give the token as the account page showed it: hp_…, without spaces.")
        self.base = url.rstrip("/") + API_PATH
        self.timeout = timeout
        self.retries = retries
        self._headers = {"Authorization": f"Token {token}", "Accept": "application/json"}
        self._opener = urllib.request.build_opener(_NoRedirect)

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, Any] | None = None,
        repeatable: bool | None = None,
    ) -> Any:
        """The decoded answer, None where it has no body.

        `repeatable` says whether the call may run twice without harm; by default every method but POST.
        Raises ApiError or ConnectionFailed.
        """
        may_repeat = method != "POST" if repeatable is None else repeatable
        address = self.base + path
        if given := {name: value for name, value in (query or {}).items() if value not in (None, "", [], ())}:
            address += "?" + urllib.parse.urlencode(given, doseq=True)
        data = None if body is None else json.dumps(finite(body), allow_nan=False, default=_plain).encode()
        attempt = 0
        while True:
            last = attempt >= self.retries
            try:
                return self._send(method, address, data)
            except ApiError as error:
                if last or not (error.status == 429 or (may_repeat and error.status in (502, 503, 504))):
                    raise
                pause = error.retry_after
            except _Broken as broken:
                if last or not (may_repeat or broken.never_arrived):
                    raise ConnectionFailed(f"{method} {address}: {broken.reason}") from broken
                pause = None
            time.sleep(min(LONGEST_WAIT, backoff(attempt) if pause is None else pause))
            attempt += 1

    def _send(self, method: str, address: str, data: bytes | None) -> Any:
        headers = dict(self._headers)
        if data is not None:
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(address, data=data, headers=headers, method=method)  # noqa: S310
        try:
            with self._opener.open(request, timeout=self.timeout) as response:
                raw = response.read()
        except urllib.error.HTTPError as error:
            raise self._refusal(error) from None
        except urllib.error.URLError as error:
            reason = error.reason
            if isinstance(reason, ssl.SSLCertVerificationError):
                raise ConnectionFailed(f"{address}: {reason}") from None
            raise _Broken(reason, isinstance(reason, ConnectionRefusedError | socket.gaierror)) from error
        except (OSError, http.client.HTTPException) as error:
            raise _Broken(error, False) from error
        return _decoded(raw, address) if raw else None

    def _refusal(self, error: urllib.error.HTTPError) -> ApiError:
        """What the server said, also where a proxy before it answered with a page."""
        if 300 <= error.code < 400:
            target = error.headers.get("Location", "another address")
            return ApiError(
                error.code,
                {
                    "title": "Redirect",
                    "detail": f"The server sends {error.url} on to {target}; give Client the final address.",
                },
            )
        try:
            document = json.loads(error.read())
        except (ValueError, OSError, http.client.HTTPException):
            document = None
        if not isinstance(document, dict):
            document = {"title": error.reason, "detail": f"{error.url} answered without an explanation."}
        refusal = api_error(error.code, document)
        wait = error.headers.get("Retry-After", "")
        if wait.isdigit():
            refusal.retry_after = float(wait)
        return refusal


class _Broken(Exception):
    """The connection failed on the way; `never_arrived`: the server certainly saw nothing."""

    def __init__(self, reason: object, never_arrived: bool) -> None:
        super().__init__(str(reason))
        self.reason = reason
        self.never_arrived = never_arrived


def backoff(attempt: int) -> float:
    """Seconds to wait before repetition `attempt` (from 0): doubling from a quarter, at most 8, with
    jitter.
    """
    return min(8.0, 0.25 * 2**attempt) * random.uniform(0.5, 1.0)


def finite(value: Any) -> Any:
    """`value` with every NaN and infinity, at any depth, as the string that the server reads for it."""
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value


def _plain(value: Any) -> Any:
    """NumPy's and torch's scalars as Python's; they have `item()`, and this file imports neither."""
    if callable(item := getattr(value, "item", None)):
        return finite(item())
    raise TypeError(f"{value!r} of type {type(value).__name__} cannot be sent as JSON.")


def _decoded(raw: bytes, address: str) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        raise HpwebError(f"{address} did not answer with JSON; is hpweb running there?") from None


# --- the server as an object --------------------------------------------------------------------------------
class Client:
    """A connection to one hpweb server as one person.

    `url` is the address of the server's start page, `token` comes from the account page. `timeout` is in
    seconds for each attempt; `retries` is how often a call is repeated when the connection breaks or the
    server is busy.
    """

    def __init__(self, url: str, token: str, *, timeout: float = 30.0, retries: int = 5) -> None:
        self.connection = Connection(url, token, timeout=timeout, retries=retries)

    def create_study(
        self,
        name: str,
        *,
        space: Mapping[str, Any] | None = None,
        metric: str | None = None,
        direction: str | None = None,
        n_trials: int | None = None,
        workload: str | None = None,
        warm_start: Sequence[Mapping[str, Any]] | None = None,
        **settings: Any,
    ) -> "Study":
        """A new study, READY to be started. Without `workload`, scripts run its trials.

        `warm_start` names earlier studies of the same metric whose trials the sampler learns from:
        [{"study": 3, "assumed": {"dropout": 0.1}}], where `assumed` says what they ran with of parameters that
        only the new study varies; the study's document says how many of their trials fit.
        `settings` are the further fields of POST studies/: sampler, sampler_options, scheduler,
        scheduler_options, objective, parallel, min_resource, max_resource, reduction_factor, seed,
        visibility, description, deterministic, total_resource, device_seconds, study_seconds, trial_seconds,
        priority, stop_when_not_worth, constraints (limits on the model: {"parameters": 100000,
        "memory": "2 GB", "flops": 1e9}; what is above one is not trained and costs nothing). The study ends
        when the first of n_trials, total_resource (steps of all trials together), device_seconds (on slots)
        and study_seconds (from its start) is used up.
        Raises InvalidInput with every wrong field.
        """
        fields = {
            "name": name,
            "space": space,
            "metric": metric,
            "direction": direction,
            "n_trials": n_trials,
            "workload": workload,
            "warm_start": warm_start,
            **settings,
        }
        body = {field: value for field, value in fields.items() if value is not None}
        return Study(self, self.connection.call("POST", "studies/", body))

    def lint(
        self,
        space: Mapping[str, Any],
        *,
        n_trials: int | None = None,
        sampler: str | None = None,
        scheduler: str | None = None,
        metric: str | None = None,
    ) -> list[dict[str, Any]]:
        """What in a space is likely to waste trials: findings with `rule`, `severity`, `message`, `evidence`,
        `parameter` and `fix`, the parameter's new entry or None. Nothing is stored, and no finding forbids a study.
        """
        fields = {"n_trials": n_trials, "sampler": sampler, "scheduler": scheduler, "metric": metric}
        body = {"space": space, **{field: value for field, value in fields.items() if value is not None}}
        return list(self.connection.call("POST", "lint/", body, repeatable=True)["findings"])

    def study(self, study_id: int) -> "Study":
        """The study with this id. Raises NotFound."""
        return Study(self, self.connection.call("GET", f"studies/{int(study_id)}/"))

    def studies(self, *, search: str = "", state: str = "", archived: bool = False) -> Iterator[dict[str, Any]]:
        """Rows of the list of studies, last activity first; `archived`: those that were taken out of it instead."""
        page, pages = 1, 1
        while page <= pages:
            query = {"search": search, "state": state, "archived": str(archived).lower(), "page": page}
            answer = self.connection.call("GET", "studies/", query=query)
            yield from answer["results"]
            page, pages = page + 1, answer["pages"]

    def workloads(self) -> list[dict[str, Any]]:
        """The workloads that the workers know, each with its default space and metrics."""
        return list(self.connection.call("GET", "workloads/")["results"])

    def find_learning_rate(
        self,
        workload: str,
        params: Mapping[str, Any] | None = None,
        *,
        low: float | None = None,
        high: float | None = None,
        steps: int | None = None,
        seed: int | None = None,
        overlay: Mapping[str, Sequence[Any]] | None = None,
        study_id: int | None = None,
        wait: float = 600.0,
    ) -> dict[str, Any]:
        """Let a worker test learning rates, and wait up to `wait` seconds for its `curves`.

        Each has `lrs`, `losses`, `smoothed`, and a `bracket` of learning rates that train, or None and the `reason`.
        `params` stand in place of the middle of the search space (the workload's, or that of `study_id`); `overlay`
        is one parameter with several values, {"batch_size": [16, 64, 256]}, each a curve. Where the wait is over, or
        is 0, the answer's `state` is not COMPLETE yet: ask again with `learning_rate_test(answer["id"])`.
        """
        fields = {"params": params, "low": low, "high": high, "steps": steps, "seed": seed, "overlay": overlay}
        body = {name: value for name, value in {**fields, "study": study_id}.items() if value is not None}
        answer = self._turn(f"workloads/{urllib.parse.quote(workload, safe='')}/lr-range/", body)
        until = time.monotonic() + wait
        while answer["state"] in ("WAITING", "RUNNING") and time.monotonic() < until:
            time.sleep(min(0.5, max(0.0, until - time.monotonic())))
            answer = self.learning_rate_test(answer["id"])
        return answer

    def learning_rate_test(self, job_id: int) -> dict[str, Any]:
        """A test that was asked for with `find_learning_rate`, as far as it is."""
        return dict(self.connection.call("GET", f"lr-ranges/{int(job_id)}/"))

    def cancel_trial(self, trial_id: int) -> dict[str, Any]:
        """End an open trial as failed (cancelled); one that has ended is left as it is."""
        return self._turn(f"trials/{int(trial_id)}/cancel/")

    def retry_trial(self, trial_id: int) -> dict[str, Any]:
        """The new trial that tries a failed one again, from its last checkpoint where it has one.

        Raises Conflict with the remedy, such as to extend the study first.
        """
        return self._turn(f"trials/{int(trial_id)}/retry/")

    def advice(self, trial_id: int) -> dict[str, Any]:
        """The advice after a trial's verdict: what each would change, what trying it costs, its `record` on the
        installation, and what its newest `test` shows so far. `follow_up` holds what to clone the study with.
        """
        return dict(self.connection.call("GET", f"trials/{int(trial_id)}/advice/"))

    def try_advice(self, trial_id: int, action: str, pairs: int = 5) -> dict[str, Any]:
        """Run the trial's configuration with and without an advice on the same `pairs` seeds; `advice` then tells.

        While its runs have not ended, the same again starts nothing. Raises InvalidInput where it cannot be tried.
        """
        return self._turn(f"trials/{int(trial_id)}/advice/", {"action": action, "pairs": pairs})

    def exclude_trial(self, trial_id: int, reason: str) -> dict[str, Any]:
        """Let a trial count no more for best, leaderboard, charts and sampler; an open one is cancelled."""
        return self._turn(f"trials/{int(trial_id)}/exclude/", {"reason": reason})

    def include_trial(self, trial_id: int) -> dict[str, Any]:
        """Let an excluded trial count again."""
        return self._turn(f"trials/{int(trial_id)}/include/")

    def workers(self) -> list[dict[str, Any]]:
        """The hosts that run workers, with their devices, slots and what runs there."""
        return list(self.connection.call("GET", "workers/")["results"])

    def jobs(self) -> list[dict[str, Any]]:
        """What the workers do besides trials: what runs, what waits, and the newest that have ended."""
        return list(self.connection.call("GET", "jobs/")["results"])

    def cancel_job(self, job_id: int) -> dict[str, Any]:
        """End a job that waits or runs; for the person who asked for it and administrators."""
        return self._turn(f"jobs/{int(job_id)}/cancel/")

    def drain_host(self, host_id: int, *, now: bool = False) -> dict[str, Any]:
        """Let a host claim nothing more; with `now` its trials go back to waiting at their next checkpoint.

        For administrators; `host_id` is the id in `workers`.
        """
        return self._turn(f"workers/{int(host_id)}/drain/", {"now": now})

    def undrain_host(self, host_id: int) -> dict[str, Any]:
        """Let a drained host claim work again. For administrators."""
        return self._turn(f"workers/{int(host_id)}/undrain/")

    def reserve_device(
        self,
        device_id: int,
        reason: str,
        *,
        hours: float | None = None,
        until: datetime.datetime | None = None,
        person: str = "",
    ) -> dict[str, Any]:
        """Keep a device for yourself, for `hours` or until a time: nothing of others starts there, what runs goes on.

        `device_id` is the id of a device in `workers`; administrators may name another `person`. Returns its host.
        Raises Conflict where somebody else has it.
        """
        body = {"reason": reason, "hours": hours, "until": until and until.astimezone().isoformat(), "person": person}
        return self._turn(f"devices/{int(device_id)}/reserve/", body)

    def release_device(self, device_id: int) -> dict[str, Any]:
        """Give a device back before its time."""
        return self._turn(f"devices/{int(device_id)}/release/")

    def people(self) -> list[dict[str, Any]]:
        """Everybody's trials on workers now, device time of the last day, and cap."""
        return list(self.connection.call("GET", "people/")["results"])

    def set_cap(self, person_id: int, max_running: int | None) -> dict[str, Any]:
        """How many trials of a person may run on workers at once; None: the server's default. For administrators."""
        return dict(self.connection.call("PATCH", f"people/{int(person_id)}/", {"max_running": max_running}))

    def _turn(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        return dict(self.connection.call("POST", path, body, repeatable=True))


class Study:
    """A study on the server. `document` is its last known state; `refresh` reads it anew."""

    def __init__(self, client: Client, document: dict[str, Any]) -> None:
        self.client = client
        self.document = document

    def __repr__(self) -> str:
        return f"<Study {self.id} {self.name!r} {self.state}>"

    @property
    def id(self) -> int:
        return int(self.document["id"])

    @property
    def name(self) -> str:
        return str(self.document["name"])

    @property
    def state(self) -> str:
        """READY, RUNNING, PAUSED, STOPPED or FINISHED, as last read."""
        return str(self.document["state"])

    @property
    def metric(self) -> str:
        """The name of the metric that the study minimizes or maximizes."""
        return str(self.document["metric"])

    @property
    def direction(self) -> str:
        return str(self.document["direction"])

    @property
    def seal(self) -> dict[str, Any]:
        """How far its test set is kept until the choice is made: state (enforced, declared or none), message, and the
        names of the metrics that are stored sealed."""
        return dict(self.document["seal"])

    def _call(self, method: str, path: str = "", body: Any = None, **options: Any) -> Any:
        return self.client.connection.call(method, f"studies/{self.id}/{path}", body, **options)

    def refresh(self) -> "Study":
        """Read the study's present state."""
        self.document = self._call("GET")
        return self

    def update(self, **changes: Any) -> "Study":
        """Change name, description, visibility, parallel, priority, trial_seconds, stop_when_not_worth, or a limit
        (None: no limit): n_trials, total_resource, device_seconds, study_seconds."""
        self.document = self._call("PATCH", body=changes)
        return self

    def delete(self) -> None:
        """Remove the study with all its trials; it must not be running."""
        self._call("DELETE")

    def start(self, despite: str = "") -> "Study":
        """READY -> RUNNING; the same again is no error.

        A study of a PyTorch workload whose preflight has not passed stays READY and starts by itself once it has;
        `despite` is the reason to start it at once.
        """
        return self._turn("start", {"despite": despite} if despite else None)

    def hold(self) -> "Study":
        """Do not start after the preflight, where it would."""
        return self._turn("hold")

    def pause(self) -> "Study":
        """RUNNING -> PAUSED; running trials go back to waiting."""
        return self._turn("pause")

    def resume(self) -> "Study":
        """PAUSED -> RUNNING."""
        return self._turn("resume")

    def stop(self) -> "Study":
        """End the study; trials that have not ended are cancelled."""
        return self._turn("stop")

    def extend(
        self,
        n_trials: int | None = None,
        *,
        parallel: int | None = None,
        total_resource: int | None = None,
        device_seconds: int | None = None,
        study_seconds: int | None = None,
    ) -> "Study":
        """Set a limit of the study, or how many of its trials run at once; a finished study runs again.

        A limit counts what is spent of it: less than that is InvalidInput.
        """
        limits = {
            "n_trials": n_trials,
            "parallel": parallel,
            "total_resource": total_resource,
            "device_seconds": device_seconds,
            "study_seconds": study_seconds,
        }
        return self._turn("extend", {name: limit for name, limit in limits.items() if limit is not None})

    def clone(self, name: str | None = None, **changes: Any) -> "Study":
        """A new study of one's own with this one's settings and `changes` (fields of create_study), READY.

        Cloning again with the same name and changes gives the same study.
        """
        body = changes if name is None else {"name": name, **changes}
        return Study(self.client, self._call("POST", "clone/", body, repeatable=True))

    def spaces(self) -> list[dict[str, Any]]:
        """The versions of the search space, the newest first, each with the first trial it holds for."""
        return list(self._call("GET", "spaces/")["results"])

    def change_ranges(
        self, space: Mapping[str, Any], *, assumed: Mapping[str, Any] | None = None, reason: str = ""
    ) -> dict[str, Any]:
        """Make `space` the next version: trials that fit keep counting, waiting ones that do not are cancelled.

        `assumed` says what earlier trials ran with of parameters that only the new version has. Returns the versions
        and `fit`, how many of the finished trials count for the sampler now.
        """
        body: dict[str, Any] = {"space": dict(space), "reason": reason}
        if assumed is not None:
            body["assumed"] = dict(assumed)
        answer = dict(self._call("POST", "spaces/", body, repeatable=True))
        self.refresh()
        return answer

    def _turn(self, action: str, body: Mapping[str, Any] | None = None) -> "Study":
        self.document = self._call("POST", f"{action}/", body, repeatable=True)
        return self

    def ask(self, n: int = 1) -> "list[Trial]":
        """Up to `n` trials to run in this process, fewer (also none) where the study has no more to give
        now.
        """
        answer = self._call("POST", "ask/", {"n": n})
        return [Trial(self, document) for document in answer["trials"]]

    def enqueue(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Make the next trial run these parameters; those left out are sampled."""
        return dict(self._call("POST", "enqueue/", {"params": params}))

    def trials(self, *, state: str | Sequence[str] = (), ordering: str = "number") -> Iterator[dict[str, Any]]:
        """Every trial of the study, read in pages as they are needed."""
        cursor = ""
        while True:
            page = self._call("GET", "trials/", query={"state": state, "ordering": ordering, "cursor": cursor})
            yield from page["results"]
            cursor = page["next_cursor"]
            if not cursor:
                return

    def leaderboard(self, limit: int = 20) -> list[dict[str, Any]]:
        """The best trials, best first."""
        return list(self._call("GET", "leaderboard/", query={"limit": limit})["results"])

    def best(self) -> dict[str, Any]:
        """The best configuration with its value, metric and seed. Raises NotFound while no trial is
        complete.
        """
        return dict(self._call("GET", "export/", query={"format": "json"}))

    def lint(self) -> list[dict[str, Any]]:
        """What the trials say of the ranges, as findings: the best near an end, half of them diverging, or a
        parameter that does not matter.
        """
        return list(self._call("GET", "lint/")["findings"])

    def importance(self, target: str = "score", *, wait: float = 60.0) -> dict[str, Any]:
        """Which parameters mattered for the "score", the training time ("seconds") or the "stability", by four
        `methods`; `problem`, or a method's `reason`, says why there is nothing. Workers compute it: it is waited for up
        to `wait` seconds, then `ready` is False.
        """
        return self._computed("importance/", wait, target=target)

    def diagnostics(self, *, wait: float = 60.0) -> dict[str, Any]:
        """What the learning curves say: a verdict on each of the `trials` with what to change next, their `counts`,
        what closes the gap (`regularisers`), and regularisation against size (`strengths`); `problem` says why there is
        nothing. Workers look: it is waited for up to `wait` seconds, then `ready` is False. `pending`: trials that have
        ended since.
        """
        return self._computed("diagnostics/", wait)

    def _computed(self, path: str, wait: float, **query: str) -> dict[str, Any]:
        """What workers compute, once it is `ready`, or as it is after `wait` seconds."""
        deadline = time.monotonic() + wait
        while True:
            found = dict(self._call("GET", path, query=query))
            if found["ready"] or time.monotonic() >= deadline:
                return found
            time.sleep(min(1.0, max(0.0, deadline - time.monotonic())))

    def worth(self) -> dict[str, Any]:
        """What another hour of device time promises: the expected `gain` of the best value, its 90 % `low` to `high`,
        the seed's `noise`, and whether it is `not_worth` it; numbers are None where `problem` says why.
        """
        return dict(self._call("GET", "worth/"))

    def finalise(
        self, trial: int | None = None, *, seeds: int | None = None, retrain: str | None = None, reason: str = ""
    ) -> dict[str, Any]:
        """Seal a choice and have it measured on the test set: a trial's number (None: the best), how many fresh
        `seeds` (3), and what they train on, "train" or "train+validation". Another look needs a `reason`.

        The answer's `state` tells how far it is: "waits", "runs", "broken" (the same call runs it again), "revealed".
        """
        given = {"trial": trial, "seeds": seeds, "retrain": retrain, "reason": reason or None}
        body = {name: value for name, value in given.items() if value is not None}
        return dict(self._call("POST", "finalise/", body))

    def final_standing(self) -> dict[str, Any]:
        """How the study stands before its test set, without any number of it."""
        return dict(self._call("GET", "finalise/"))

    def reveals(self) -> list[dict[str, Any]]:
        """What was seen of the test set, the newest first: `choice`, `scores` with intervals, `findings`."""
        return list(self._call("GET", "reveals/")["reveals"])

    def archive(self) -> "Study":
        """Take the study out of the list; all that it has is kept."""
        return self._turn("archive")

    def unarchive(self) -> "Study":
        """Bring it back into the list."""
        return self._turn("unarchive")

    def what_if(self) -> dict[str, Any]:
        """What other schedulers would have made of the recorded curves, the study having ended: `record`, and
        `alternatives` with their settings as create_study takes them. `problem` says why there is nothing.
        """
        return dict(self._call("GET", "what-if/"))

    def optimize(
        self,
        objective: "Callable[[Trial], float | None]",
        n_trials: int | None = None,
        *,
        catch: tuple[type[Exception], ...] = (),
        heartbeat: bool = True,
        poll: float = 2.0,
    ) -> "list[Trial]":
        """Ask, run `objective(trial)`, tell; until `n_trials` are done here, or the study gives no more.

        The objective returns the trial's value, or None to let the server take it from the reported metric,
        or raises TrialPruned. Any other exception fails the trial and is raised again, unless it is one of
        `catch`. A trial that the server took back (the study was paused or stopped) is left, and the loop
        goes on. With `heartbeat` a thread keeps the lease while the objective runs. `poll` is the time in
        seconds between questions while others run the study's last trials. Returns the trials that ended
        here.

        Ctrl-C ends the loop without telling: the server gives the trial to the next who asks when its lease
        runs out.
        """
        ended: list[Trial] = []
        while n_trials is None or len(ended) < n_trials:
            try:
                asked = self.ask(1)
            except LeaseLost:
                raise
            except Conflict:
                if self.refresh().state in ("STOPPED", "FINISHED"):
                    return ended
                if self.state != "PAUSED":
                    raise
                asked = []
            if not asked:
                if self.refresh().state not in ("RUNNING", "PAUSED"):
                    return ended
                time.sleep(poll)
                continue
            if self._run(asked[0], objective, catch, heartbeat):
                ended.append(asked[0])
        return ended

    def _run(
        self,
        trial: "Trial",
        objective: "Callable[[Trial], float | None]",
        catch: tuple[type[Exception], ...],
        heartbeat: bool,
    ) -> bool:
        """Run one trial and tell; False where it was taken from this script meanwhile."""
        try:
            try:
                with trial.keep_alive() if heartbeat else contextlib.nullcontext():
                    value = objective(trial)
            except TrialPruned:
                return trial.end_early()
            except HpwebError:
                raise
            except MemoryError:
                trial.tell(state="failed", reason="out_of_memory")
                raise
            except Exception as error:
                trial.tell(state="failed", reason=f"{type(error).__name__}: {error}"[:REASON_LENGTH])
                if not isinstance(error, catch):
                    raise
                return True
            if trial.decision == "pause":
                return False
            trial.tell(value)
            return True
        except LeaseLost:
            return False


class Trial:
    """One configuration to run here, held by a lease until it is told, or until the lease runs out
    unrenewed.
    """

    def __init__(self, study: Study, document: dict[str, Any]) -> None:
        self.study = study
        self.id = int(document["id"])
        self.number = int(document["number"])
        self.params: dict[str, Any] = dict(document["params"])
        self.resource: int | None = document["resource"]  # the step to reach
        self.resume_step = int(document["resume_step"])  # steps up to here are done; go on from your own checkpoint
        self.seed = int(document["seed"])
        self.why = str(document["why"])
        self.deadline: str | None = document.get("deadline")  # ISO 8601; after it every call raises LeaseLost
        self.lease = str(document["lease"])
        self.lease_seconds = float(document["lease_seconds"])
        self.decision = "continue"  # of the newest report: "continue", "pause" or "stop"
        self.state = "RUNNING"
        self.value: float | None = None
        self._constraints: dict[str, float] = {}
        self._last_step = self.resume_step
        self._lost = threading.Event()

    def __repr__(self) -> str:
        return f"<Trial {self.number} {self.state} {self.params}>"

    def _call(self, path: str, body: dict[str, Any]) -> Any:
        """Calls on a trial may be repeated: the server stores a point, a draw and an ending once."""
        connection = self.study.client.connection
        try:
            return connection.call("POST", f"trials/{self.id}/{path}/", {"lease": self.lease, **body}, repeatable=True)
        except LeaseLost:
            self._lost.set()
            raise

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """A float of [low, high]: the study's value for `name`, or one drawn by the server for a name it does
        not know.
        """
        form: dict[str, Any] = {"type": "float", "low": float(low), "high": float(high)}
        if step is not None:
            form["step"] = float(step)
        if log:
            form["log"] = True
        return float(self._suggest(name, form))

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """An integer of [low, high]."""
        form: dict[str, Any] = {"type": "int", "low": int(low), "high": int(high)}
        if step != 1:
            form["step"] = int(step)
        if log:
            form["log"] = True
        return int(self._suggest(name, form))

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """One of `choices`: strings, numbers, true or false."""
        return self._suggest(name, {"type": "categorical", "choices": list(choices)})

    def _suggest(self, name: str, form: dict[str, Any]) -> Any:
        """The value that came with the trial where it lies in the distribution asked for, else the server's
        answer.

        The server names the disagreement where the study's own space has the name with another range.
        """
        if name not in self.params or not fits(form, self.params[name]):
            self.params[name] = self._call("suggest", {"name": name, "distribution": form})["value"]
        return self.params[name]

    def report(self, value: float | Mapping[str, float], step: int) -> str:
        """Send what `step` measured and renew the lease. Returns "continue", "pause" or "stop".

        A single number is the study's metric; a mapping holds several by name. NaN and infinities are taken.
        Steps count from 1. "stop": end the trial, it has reached its resource or is not worth more; "pause":
        keep your checkpoint and return, the trial may come again with a larger resource. Raises LeaseLost
        where the trial was taken back.
        """
        named = value if isinstance(value, Mapping) else {self.study.metric: value}
        metrics = {name: float(number) for name, number in named.items()}
        self.decision = str(self._call("report", {"step": int(step), "metrics": metrics})["decision"])
        self._last_step = max(self._last_step, int(step))
        return self.decision

    def should_prune(self) -> bool:
        """Whether the objective should end now: the newest report said stop or pause, or the trial was taken
        back.
        """
        return self.decision != "continue" or self._lost.is_set()

    def end_early(self) -> bool:
        """Tell the ending that should_prune asked for: pruned, or complete where the trial has reached its
        resource.

        After "pause" there is nothing to tell, the trial may come again. Returns whether the trial has ended.
        """
        if self.decision == "pause":
            return False
        if self.resource is not None and self._last_step >= self.resource:
            self.tell()
        else:
            self.tell(state="pruned", reason=f"pruned at step {self._last_step}")
        return True

    def set_constraint(self, name: str, value: float) -> None:
        """Note a constraint, to be sent with `tell`; a value above 0 makes the configuration infeasible."""
        self._constraints[name] = float(value)

    def heartbeat(self) -> None:
        """Renew the lease without a report. Raises LeaseLost."""
        self._call("heartbeat", {})

    @contextlib.contextmanager
    def keep_alive(self) -> Iterator[None]:
        """Renew the lease from a thread while the block runs, three times in each lease.

        When the server has taken the trial back, the thread ends and `should_prune` is true from then on.
        """
        done = threading.Event()
        thread = threading.Thread(target=self._beat, args=(done,), name=f"hpweb trial {self.number}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _beat(self, done: threading.Event) -> None:
        while not done.wait(self.lease_seconds / 3):
            try:
                self.heartbeat()
            except LeaseLost:
                return  # noted by _call; should_prune tells the objective
            except HpwebError as error:
                # the next beat tries again; while the lease lasts nothing is lost, and report or tell
                # raises the rest
                warnings.warn(f"heartbeat of trial {self.number}: {error}", RuntimeWarning, stacklevel=1)

    def tell(
        self,
        value: float | None = None,
        *,
        state: str | None = None,
        reason: str = "",
        constraints: Sequence[float] | None = None,
    ) -> "Trial":
        """End the trial: with its value; with neither value nor state by the reported metric; or with state
        "failed" or "pruned" and a reason.

        Reasons that teach the sampler to stay away are "diverged", "out_of_memory", "code_error" and
        "deadline"; other words are kept as they are. Telling the same again changes nothing. Raises
        LeaseLost, Conflict, InvalidInput.
        """
        bounds = list(constraints) if constraints is not None else list(self._constraints.values())
        body: dict[str, Any] = {
            "value": None if value is None else float(value),
            "state": state,
            "reason": reason,
        }
        if bounds:
            body["constraints"] = [float(bound) for bound in bounds]
        answer = self._call("tell", {field: item for field, item in body.items() if item not in (None, "")})
        self.state = answer["state"]
        self.value = answer["value"]
        return self


def fits(form: Mapping[str, Any], value: Any) -> bool:
    """Whether `value` lies in a distribution as suggest_* describes it."""
    if form["type"] == "categorical":
        return any(type(choice) is type(value) and choice == value for choice in form["choices"])
    if isinstance(value, bool) or not isinstance(value, int | float) or not form["low"] <= value <= form["high"]:
        return False
    if form["type"] == "int" and not isinstance(value, int):
        return False
    if "step" not in form:
        return True
    steps = (value - form["low"]) / form["step"]
    return abs(steps - round(steps)) < 1e-6


# --- a program that a worker started ------------------------------------------------------------------------
SOCKET = "HPWEB_SOCKET"
ANSWER_SECONDS = 60.0
KEPT_SECONDS = 120.0  # an older checkpoint stays for as long as a worker may need to accept a newer one


def current_trial(default: Mapping[str, Any] | None = None) -> "CurrentTrial":
    """The trial that this program was started for.

    Outside of hpweb, a trial with the parameters `default` whose reports are printed. Raises NoTrial where there
    is neither.
    """
    path = os.environ.get(SOCKET)
    if path:
        return CurrentTrial(path, {})
    if default is None:
        raise NoTrial(
            "This program was not started by a worker of hpweb (HPWEB_SOCKET is not set). Name it in the host's file "
            "of programs and start a study of it, or call current_trial({...}) with parameters for a run by hand."
        )
    return CurrentTrial("", {"params": dict(default)})


class CurrentTrial:
    """One trial of a program: its parameters, and where its reports go.

    Attributes:
        params: the values to train with, by name; a conditional parameter that does not apply is absent.
        number, seed: the trial's; seed your generators with it.
        resource: the step to reach; None: as far as the program goes.
        resume_step: the step of `resume_from`, 0 for a start from the beginning.
        metric: the name of what the study optimizes.
        checkpoint_dir: the folder for this trial's own files, kept between attempts; None where the host's file of
            programs does not say `resume = true`.
    """

    def __init__(self, path: str, document: Mapping[str, Any]) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._process = 0
        self._socket: socket.socket | None = None
        self._received = b""
        self.decision = "continue"
        if path:
            document = self._exchange(None)
        self.params: dict[str, Any] = dict(document["params"])
        self.number = int(document.get("trial") or 0)
        self.seed = int(document.get("seed") or 0)
        self.resource: int | None = document.get("resource")
        self.resume_step = int(document.get("resume_step") or 0)
        self.metric = str(document.get("metric") or "value")
        folder = document.get("checkpoint_dir")
        self.checkpoint_dir = Path(folder) if folder else None

    def __repr__(self) -> str:
        return f"<CurrentTrial {self.number} {self.params}>"

    def report(self, step: int, metrics: Mapping[str, float] | None = None, /, **named: float) -> str:
        """Send what `step` (1-based) measured; the study's metric must be among it at least once.

        Returns "continue", "stop" (end: the trial has reached its resource, or is not worth more) or "pause" (end
        after a checkpoint: the trial comes again). NaN and infinities are taken. Raises ReportRefused.
        """
        numbers = {name: float(value) for name, value in {**(metrics or {}), **named}.items()}
        return self._send({"type": "report", "step": int(step), "metrics": numbers})

    @property
    def should_stop(self) -> bool:
        """Whether the program should end now, asked of the worker at this moment."""
        return self._send({"type": "look"}) != "continue"

    def tell(self, value: float | None = None, *, constraints: Sequence[float] = ()) -> None:
        """Give the trial's value where it is not the reported metric's, and constraints (met where at most 0)."""
        bounds = [float(bound) for bound in constraints]
        self._send({"type": "tell", "value": None if value is None else float(value), "constraints": bounds})

    @contextlib.contextmanager
    def checkpoint(self, step: int) -> Iterator[Path]:
        """Write the files of `step` into the folder that this yields; a later attempt finds them complete or not
        at all.

        With no `checkpoint_dir` the files are written to a folder that is removed again.
        """
        root = self.checkpoint_dir or Path(f".hpweb-checkpoint-{os.getpid()}")
        writing = root / f"writing-{os.getpid()}-{step}"
        writing.mkdir(parents=True, exist_ok=True)
        try:
            yield writing
            if self.checkpoint_dir is not None:
                _flush(writing)
                final = self._folder_of(step)
                shutil.rmtree(final, ignore_errors=True)
                os.replace(writing, final)
                self._send({"type": "checkpoint", "step": int(step)})
                self._forget_older(step)
        finally:
            shutil.rmtree(root if self.checkpoint_dir is None else writing, ignore_errors=True)

    @property
    def resume_from(self) -> Path | None:
        """The folder of the checkpoint to go on from; None: start from the beginning.

        Raises FileNotFoundError where `checkpoint` has written none for that step: steps would be missing.
        """
        if self.checkpoint_dir is None or not self.resume_step:
            return None
        folder = self._folder_of(self.resume_step)
        if not folder.is_dir():
            raise FileNotFoundError(f"The trial goes on after step {self.resume_step}, but there is no {folder}.")
        return folder

    def _folder_of(self, step: int) -> Path:
        if self.checkpoint_dir is None:
            raise RuntimeError("there is no checkpoint folder")
        return self.checkpoint_dir / f"step-{int(step)}"

    def _forget_older(self, step: int) -> None:
        """Delete checkpoints before `step` that no attempt can be told to go on from any more."""
        newest = time.time() - KEPT_SECONDS
        older = [folder for folder in self._folder_of(step).parent.glob("step-*") if folder != self._folder_of(step)]
        for folder in sorted(older, key=lambda path: path.stat().st_mtime)[:-1]:
            if folder.stat().st_mtime < newest:
                shutil.rmtree(folder, ignore_errors=True)

    def _send(self, message: Mapping[str, Any]) -> str:
        if not self._path:
            if message["type"] == "report":
                words = ", ".join(f"{name} {value:.6g}" for name, value in message["metrics"].items())
                print(f"step {message['step']}: {words}", flush=True)
            return self.decision
        with self._lock:
            answer = self._exchange(message)
            if "error" in answer:
                raise ReportRefused(f"hpweb refused this: {answer['error']}.")
            self.decision = str(answer["decision"])
            return self.decision

    def _exchange(self, message: Mapping[str, Any] | None) -> dict[str, Any]:
        """Send one line and return the answer; a process forked off the program gets a connection of its own."""
        try:
            if self._socket is None or self._process != os.getpid():
                self._socket, self._process, self._received = socket.socket(socket.AF_UNIX), os.getpid(), b""
                self._socket.settimeout(ANSWER_SECONDS)
                self._socket.connect(self._path)
                greeting = self._line()
                if message is None:
                    return greeting
            self._socket.sendall(json.dumps(finite(message)).encode() + b"\n")
            return self._line()
        except OSError as error:
            raise ConnectionFailed(f"The worker's socket {self._path} does not answer: {error}") from error

    def _line(self) -> dict[str, Any]:
        if self._socket is None:
            raise RuntimeError("not connected")
        while b"\n" not in self._received:
            data = self._socket.recv(1 << 16)
            if not data:
                raise ConnectionResetError("the worker has closed it")
            self._received += data
        line, _, self._received = self._received.partition(b"\n")
        return dict(json.loads(line))


def _flush(folder: Path) -> None:
    """Have the files of a folder on the disk before the folder gets its name."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
