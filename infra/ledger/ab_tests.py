"""The A/B tests, numbered and written once: how each was planned, its phases, what was decided.

A server reads on from what it knows: `known = read_ab_tests(storage, known)`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeVar

from infra.errors import InputError, StorageError
from infra.ledger.assignment import arm_of
from infra.places import AB_TESTS
from infra.records.ab_tests import AbDecision, AbTest, ArmName, Phase, PhaseChange
from infra.rules import parse_json
from infra.storage import Storage
from infra.stores.numbered import after, append, key

CURE = "Restore it from a backup of the published folder."
Record = TypeVar("Record", AbTest, PhaseChange, AbDecision)


@dataclass(frozen=True)
class TestState:
    """A test with all that came after its start.

    Attributes
    ----------
    test : AbTest
    changes : tuple of PhaseChange
        In order.
    decisions : tuple of AbDecision
        In order; only the last can end it.
    """

    __test__ = False  # no test of pytest

    test: AbTest
    changes: tuple[PhaseChange, ...] = ()
    decisions: tuple[AbDecision, ...] = ()

    @property
    def phase(self) -> Phase:
        """The phase that counts."""
        return self.changes[-1].phase if self.changes else self.test.phase

    @property
    def phase_number(self) -> int:
        """The number of that phase, from 1."""
        return len(self.changes) + 1

    @property
    def phase_since(self) -> datetime:
        """When that phase began."""
        return self.changes[-1].at if self.changes else self.test.at

    @property
    def exposed_until(self) -> datetime:
        """From when on newly exposed units do not count."""
        return self.phase_since + timedelta(days=self.test.days)

    @property
    def horizon(self) -> datetime:
        """When all units of that phase have been watched for as long as planned."""
        return self.exposed_until + timedelta(days=self.test.mature_days)

    @property
    def ended(self) -> AbDecision | None:
        """The decision that ended it."""
        last = self.decisions[-1] if self.decisions else None
        return last if last and last.decision != "go on" else None

    def arm_of(self, user_key: str, visitor_key: str) -> ArmName | None:
        """Return the arm of a request; None if it is not in the test."""
        return arm_of(self.phase, user_key if self.test.unit == "user" else visitor_key)


@dataclass(frozen=True)
class KnownTests:
    """All tests up to a record: `tests` by the number of their start."""

    last: int = 0
    tests: dict[int, TestState] = field(default_factory=dict)

    def running(self) -> tuple[TestState, ...]:
        """Return the tests that nobody has ended, by number."""
        return tuple(test for _, test in sorted(self.tests.items()) if test.ended is None)

    def named(self, name: str) -> TestState:
        """Return the test of a name; raise `InputError` if nobody started it."""
        for state in self.tests.values():
            if state.test.name == name:
                return state
        raise InputError(f"There is no A/B test '{name}'.", "The page A/B tests lists all.")


def read_ab_tests(storage: Storage, known: KnownTests | None = None) -> KnownTests:
    """Return all tests, of which `known` were read before; the same object if nothing is new.

    Raises
    ------
    StorageError
        The storage fails, or a record cannot be understood.
    """
    known = known or KnownTests()
    last, tests = known.last, dict(known.tests)
    for last, content in after(storage.published, AB_TESTS, known.last):
        _take(tests, content, last)
    return known if last == known.last else KnownTests(last, tests)


def versions_under_test(storage: Storage) -> set[str]:
    """Return the versions that tests which run are answered by; raises as `read_ab_tests`."""
    tests = (state.test for state in read_ab_tests(storage).running())
    return {arm.version for test in tests for arm in (test.control, test.treatment)}


def add_ab_record(storage: Storage, make: Callable[[KnownTests], Record]) -> Record:
    """Write the start of a test, a change of phase or a decision; return it with its number.

    Parameters
    ----------
    make : callable
        From all tests until then to the record; asked anew where another record was first, so what
        it checks is still true when the record stands.

    Raises
    ------
    CatwalkError
        What `make` raises, or the storage fails.
    """
    made: list[Record] = []

    def content(number: int) -> bytes:
        made.append(make(read_ab_tests(storage)).model_copy(update={"number": number}))
        return made[-1].model_dump_json(indent=1).encode()

    append(storage.published, AB_TESTS, content)
    return made[-1]


def _take(tests: dict[int, TestState], content: bytes, number: int) -> None:
    name = f"The record {key(AB_TESTS, number)}"
    kind = _kind(content)
    if kind is AbTest:
        tests[number] = TestState(parse_json(content, AbTest, name, CURE))
    elif kind is PhaseChange:
        change = parse_json(content, PhaseChange, name, CURE)
        state = _of(tests, change.changes, name)
        tests[change.changes] = replace(state, changes=(*state.changes, change))
    else:
        decision = parse_json(content, AbDecision, name, CURE)
        state = _of(tests, decision.decides, name)
        tests[decision.decides] = replace(state, decisions=(*state.decisions, decision))


def _of(tests: dict[int, TestState], number: int, name: str) -> TestState:
    if number not in tests:
        raise StorageError(f"{name} is about test {number}, which is not there.", CURE)
    return tests[number]


def _kind(content: bytes) -> type[AbTest | PhaseChange | AbDecision]:
    """Tell which kind of record it is by what it is about; `parse_json` says what is wrong."""
    try:
        loaded = json.loads(content)
    except ValueError:
        return AbTest
    keys = loaded if isinstance(loaded, dict) else {}
    return PhaseChange if "changes" in keys else AbDecision if "decides" in keys else AbTest
