import json

import pytest

from tuning.findings import Finding


def test_a_finding_survives_the_trip_through_json():
    finding = Finding("edge", "warning", "lr sits at its upper end", {"share": 0.9}, {"high": 1.0}, "lr")
    assert Finding.from_json(json.loads(json.dumps(finding.to_json()))) == finding


def test_evidence_and_fix_may_be_left_out():
    finding = Finding.from_json({"rule": "r", "severity": "info", "message": "m", "type": "finding"})
    assert finding.evidence == {} and finding.fix is None and finding.parameter is None


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        ({"rule": "", "severity": "info", "message": "m"}, "name of its rule"),
        ({"rule": "r", "severity": "fatal", "message": "m"}, "'fatal' is not one of info, warning, error"),
        ({"rule": "r", "severity": "info", "message": ""}, "'r' needs a message"),
        ({"severity": "info"}, "rule, message"),
    ],
)
def test_an_incomplete_finding_is_refused_by_name(document, complaint):
    with pytest.raises(ValueError, match=complaint):
        Finding.from_json(document)
