"""What `make bench-serve` measures with: bundles that can be served, and what wrk prints."""

from __future__ import annotations

import doctest
import shutil
from pathlib import Path

import pytest

from infra.errors import InputError
from infra.person_keys import PersonKeys
from models.benches import wrk
from models.benches.serving import PATH
from models.benches.serving_bundle import KINDS, write_bundle
from models.benches.serving_processes import doing_nothing, own_mb
from models.benches.wrk import Load, Wrk, read_load
from models.serving.unpacking.trial import try_version

TOLD = """
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     4.62ms    3.20ms  40.01ms   88.10%
  Latency Distribution
     50%    4.10ms
     99%    1.20s
  3000 requests in 2.00s, 4.00MB read
  Socket errors: connect 1, read 2, write 3, timeout 4
  Non-2xx or 3xx responses: 5
Requests/sec:   1500.25
"""


@pytest.mark.parametrize("kind", KINDS)
def test_a_bundle_of_random_likes_can_be_served(kind: str, tmp_path: Path) -> None:
    keys = sorted(PersonKeys("a secret of the tests").of_user(f"user{n}") for n in range(50))
    write_bundle(tmp_path / "bundle", kind, keys, items=2_000)
    try_version(tmp_path / "bundle")
    assert (tmp_path / "bundle" / "lists.npz").exists()


def test_what_wrk_prints_is_read_with_all_failures() -> None:
    assert read_load(TOLD) == Load(rps=1500.25, p99_ms=1200.0, failed=15, requests=3000)
    with pytest.raises(InputError, match="wrk printed: unable to connect"):
        read_load("unable to connect")
    tried = doctest.testmod(wrk)
    assert tried.failed == 0 and tried.attempted > 0


@pytest.mark.skipif(not shutil.which("wrk"), reason="wrk is not installed")
def test_the_server_that_does_nothing_answers_all(tmp_path: Path) -> None:
    with doing_nothing() as noop:
        load = Wrk("token", tmp_path).run(f"{noop.address}{PATH}/home", ['{"k": 1}'], 1, 2)
        assert load.failed == 0 and load.requests > 10
        assert 1 < own_mb(noop.process.pid) < 500
