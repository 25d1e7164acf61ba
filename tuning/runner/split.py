"""The kind "split": sizes and keyed content hashes of every split, the sealed test split among them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuning.runner.failures import JobError
from tuning.runner.inbox import Inbox
from tuning.runner.spec import read
from tuning.training import opened_seal
from tuning.training.catalogue import Catalogue
from tuning.training.splits import fingerprint


def split(spec: Mapping[str, Any], catalogue: Catalogue, inbox: Inbox) -> dict[str, Any]:
    """Return {"sizes", "hashes", "fraction", "digest"}; without test data the test split has size 0."""
    digits = read(spec, "hash_key", str)
    try:
        key = bytes.fromhex(digits)
    except ValueError as error:
        raise JobError("the spec's 'hash_key' is 16 to 64 bytes in hexadecimal digits") from error
    workload = catalogue.make(read(spec, "workload", str))
    splits = workload.data()
    with opened_seal():
        test = workload.test_data() if workload.has_test_data() else None
        found = fingerprint({"train": splits.train, "validation": splits.validation, "test": test}, key)
    return {
        "sizes": found.sizes,
        "hashes": found.hashes,
        "fraction": found.fraction,
        "digest": found.digest,
    }
