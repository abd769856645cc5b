"""Follows the A/B tests: both versions of a test are opened beside what is live, then it counts.

A test that cannot be served whole, or one of whose versions was rolled back from, gets what is live
in both arms, and the served log says so: it was not served as planned, and its verdict is void.
"""

from __future__ import annotations

import gc
import logging
import time
from collections import defaultdict
from collections.abc import Sequence

from infra.ledger.ab_tests import KnownTests, TestState, read_ab_tests
from infra.ledger.live_pointer import live
from infra.places import AB_TESTS
from infra.records.ab_tests import ArmName
from infra.records.release import PublishRecord
from infra.storage import Storage
from models.serving.following.looks import Looks, require_records
from models.serving.following.opening import open_tried, unpack
from models.serving.following.remembered import Remembered
from models.serving.following.state import Arms, ServedTest, State
from models.serving.home import unpacked
from models.serving.metrics import Metrics
from models.serving.version import Version

EVERY_SECONDS = 2.0
AGAIN_SECONDS = 30.0  # a version that does not answer is tried again then
_log = logging.getLogger("catwalk")


class TestsFollower:
    """Brings the tests that run into the state of a worker."""

    __test__ = False  # no test of pytest

    def __init__(self, storage: Storage, state: State, kept: Remembered, metrics: Metrics) -> None:
        self._storage, self._state, self._kept, self._metrics = storage, state, kept, metrics
        self._looks = Looks(metrics)
        self._known: KnownTests | None = None
        self._served: dict[int, ServedTest] = {}
        self._refused: dict[str, float] = {}  # version: when it is tried again

    def start(self) -> None:
        """Go on with the tests that ran last, if their versions are on this disk."""
        pointer, known = self._kept.live(), self._kept.ab_tests()
        here = [test for test in known if all(map(self._is_here, _versions(test)))]
        self._serve(here, _withdrawn(pointer))

    def look(self) -> None:
        """Look once at the tests, and follow them."""
        self._looks.take("A/B tests", self._look)

    def _look(self) -> None:
        known = read_ab_tests(self._storage, self._known)
        require_records(known.last, self._kept.ab_tests(), AB_TESTS)
        self._serve(known.running(), _withdrawn(live(self._storage)))
        if known is not self._known:
            self._known = known
            self._kept.keep_ab_tests(known.running())

    def _serve(self, running: Sequence[TestState], withdrawn: set[str]) -> None:
        """Let the worker answer by these tests, as far as their versions may be and can be."""
        before, served = self._served, dict[int, ServedTest]()
        for test in running:
            now, number = before.get(test.test.number), test.test.number
            versions: Arms = now.versions if now else {}
            if withdrawn & {*_versions(test)}:
                versions = {}
            elif not versions:
                versions = self._opened(test)
            unchanged = now is not None and (now.state, now.versions) == (test, versions)
            served[number] = now if now and unchanged else ServedTest(test, versions)
        if served != before:
            self._served = served
            self._put()

    def _put(self) -> None:
        """Let the tests count from the next request on."""
        by_placement: defaultdict[str, list[ServedTest]] = defaultdict(list)
        for served in self._served.values():
            for placement in served.state.test.placements:
                by_placement[placement].append(served)
        self._state.tests = {name: tuple(tests) for name, tests in by_placement.items()}
        gc.collect()
        gc.freeze()  # what stays is not looked at again
        names = [each.state.test.name for each in self._served.values() if each.versions]
        _log.warning("A/B tests that answer: %s.", ", ".join(names) or "none")

    def _opened(self, test: TestState) -> Arms:
        control, treatment = (self._version(name) for name in _versions(test))
        if control is None or treatment is None:
            return {}
        arms: dict[ArmName, Version] = {"control": control, "treatment": treatment}
        for version in arms.values():
            missing = {*test.test.placements} - {*version.placements.placements}
            if missing:
                self._refuse(version.name, f"it has no placement {', '.join(sorted(missing))}")
                return {}
        return arms

    def _version(self, name: str) -> Version | None:
        """Return a version, of those that answer already or newly opened; None if it cannot be."""
        for version in self._state.versions():
            if version.name == name:
                return version
        if time.monotonic() < self._refused.get(name, 0.0):
            return None
        try:
            unpack(self._storage, name)
            version = open_tried(self._storage, name, self._state.rules)
        except Exception as error:  # whatever it is, what answers now goes on
            self._refuse(name, f"{type(error).__name__}: {error}")
            return None
        self._refused.pop(name, None)
        return version

    def _refuse(self, version: str, why: str) -> None:
        if version not in self._refused:
            _log.error("%s is refused, and no test of it is served: %s", version, why)
        self._refused[version] = time.monotonic() + AGAIN_SECONDS
        self._metrics.refused.inc()

    def _is_here(self, version: str) -> bool:
        return unpacked(self._storage.settings, version).is_dir()


def _versions(test: TestState) -> tuple[str, str]:
    return test.test.control.version, test.test.treatment.version


def _withdrawn(pointer: PublishRecord | None) -> set[str]:
    """Return the versions that a person rolled back from."""
    return {out.version for out in pointer.withdrawn} if pointer else set()
