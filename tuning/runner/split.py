"""The kind "split": sizes and keyed content hashes of every split, the sealed test split among them.

Beside them the digest of the examples that a training reads: trials may not open the test split, and the hashes leave
the targets out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuning.runner.failures import JobError
from tuning.runner.inbox import Inbox
from tuning.runner.pins import UNSTEADY, steady_digest
from tuning.runner.spec import read
from tuning.training import opened_seal
from tuning.training.catalogue import Catalogue
from tuning.training.examples import load_data
from tuning.training.splits import fingerprint


def split(spec: Mapping[str, Any], catalogue: Catalogue, inbox: Inbox) -> dict[str, Any]:
    """Return {"sizes", "hashes", "fraction", "digest", "data_digest", "data_error"}.

    Without test data the test split has size 0; without a steady digest of the data the error says why.
    """
    digits = read(spec, "hash_key", str)
    try:
        key = bytes.fromhex(digits)
    except ValueError as error:
        raise JobError("the spec's 'hash_key' is 16 to 64 bytes in hexadecimal digits") from error
    workload = catalogue.make(read(spec, "workload", str))
    splits = load_data(workload)
    data = steady_digest(splits)
    with opened_seal():
        test = workload.test_data() if workload.has_test_data() else None
        found = fingerprint({"train": splits.train, "validation": splits.validation, "test": test}, key)
    return {
        "sizes": found.sizes,
        "hashes": found.hashes,
        "fraction": found.fraction,
        "digest": found.digest,
        "data_digest": data,
        "data_error": "" if data else UNSTEADY,
    }
