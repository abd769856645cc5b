"""What a worker answers by at this moment; each part is replaced as a whole, between requests."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from infra.ledger.ab_tests import TestState
from infra.records.ab_tests import ArmName
from infra.records.release import PublishRecord
from models.merchandising.shop_rules import ShopRules
from models.serving.api.guard import TokenBook
from models.serving.version import Version

Arms = Mapping[ArmName, Version]


@dataclass(frozen=True)
class ServedTest:
    """An A/B test with its two versions, if both are open here; else with none."""

    state: TestState
    versions: Arms


Tests = Mapping[str, tuple[ServedTest, ...]]  # by placement


@dataclass(frozen=True, slots=True)
class Chosen:
    """What answers a request, and the A/B test, phase and arm that it is in; "" and 0 in none."""

    version: Version
    test: str = ""
    phase: int = 0
    arm: str = ""


@dataclass
class State:
    """The parts; threads set them, and a request reads each once.

    Attributes
    ----------
    rules : ShopRules or None
        None before what may be shown is known; until then nothing is answered.
    version, pointer : Version or None, PublishRecord or None
        What answers, and since when it is live; None before the first.
    tests : Tests
        The A/B tests; a placement without one is answered by `version`.
    refused : str
        The newest version, if it was tried and does not answer; else "".
    looked : float
        When the live pointer was last read, by the monotonic clock.
    """

    tokens: TokenBook = field(default_factory=TokenBook)
    rules: ShopRules | None = None
    version: Version | None = None
    pointer: PublishRecord | None = None
    tests: Tests = field(default_factory=dict)
    refused: str = ""
    looked: float = field(default_factory=time.monotonic)

    @property
    def is_ready(self) -> bool:
        """Whether questions are answered."""
        return self.version is not None and self.rules is not None

    @property
    def behind(self) -> float:
        """Seconds since the live pointer was last read."""
        return time.monotonic() - self.looked

    def choose(self, live: Version, placement: str, user_key: str, visitor_key: str) -> Chosen:
        """Return what answers a request: the version of its arm, else what is live.

        A request of a test whose versions are not open is answered by what is live, as its arm.
        """
        for test in self.tests.get(placement, ()):
            arm = test.state.arm_of(user_key, visitor_key)
            if arm:
                named = (test.state.test.name, test.state.phase_number, arm)
                return Chosen(test.versions.get(arm, live), *named)
        return Chosen(live)

    def versions(self) -> Iterator[Version]:
        """Give every version that answers, some of them more than once."""
        if self.version:
            yield self.version
        for tests in self.tests.values():
            for test in tests:
                yield from test.versions.values()
