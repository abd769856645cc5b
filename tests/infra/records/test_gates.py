"""Records of gates are read as they were written at any time, and written in the words of today."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from infra.records.gates import GateRecord

WRITTEN_AT_756A9B8 = """{
 "gate": "items",
 "run": "run=manual__2026-11-29T22-53-49.336363-00-00",
 "at": "2026-11-29T22:55:30.975036Z",
 "verdict": "passed",
 "partitions": ["run=manual__2026-11-29T22-53-49.336363-00-00"],
 "checks": [
  {
   "name": "catalogue_items",
   "says": "items in the catalogue",
   "why": "the catalogue was not delivered whole",
   "severity": "critical",
   "value": 2000.0,
   "min": 50.0,
   "max": null,
   "passed": true,
   "partition": "",
   "not_judged": "",
   "examples": []
  }
 ],
 "waiting": [],
 "decided": {}
}"""


def test_a_record_of_756a9b8_is_read() -> None:
    record = GateRecord.model_validate_json(WRITTEN_AT_756A9B8)
    assert (record.gate, record.result, len(record.checks)) == ("items", "passed", 1)


def test_the_older_field_approval_is_dropped() -> None:
    older = json.loads(WRITTEN_AT_756A9B8) | {"approval": None}
    assert GateRecord.model_validate(older) == GateRecord.model_validate_json(WRITTEN_AT_756A9B8)


def test_it_is_written_in_the_words_of_today_and_read_again() -> None:
    record = GateRecord.model_validate_json(WRITTEN_AT_756A9B8)
    written = record.model_dump_json()
    assert json.loads(written)["result"] == "passed" and "verdict" not in json.loads(written)
    assert GateRecord.model_validate_json(written) == record


@pytest.mark.parametrize("change", [{"verdict": "released"}, {"result": "stopped"}])
def test_a_result_that_no_gate_has_or_two_of_them_are_refused(change: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        GateRecord.model_validate(json.loads(WRITTEN_AT_756A9B8) | change)
