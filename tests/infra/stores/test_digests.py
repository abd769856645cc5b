"""Folders and their manifests; what a model's folder is refused for is in test_bundle.py."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from infra.stores.digests import verified, write_manifest
from infra.stores.object_store import MANIFEST
from models.recommenders.model_files import load_arrays

ZEROS = "fbb82f7b353676bb562eb82157fcf0ea42c36492ca13ee56dbf82c08b6802c5c"  # so many of them
LARGE = 4 * 1024**3 + 1  # bytes: more than 32 bits count


@pytest.mark.faults  # reads four gigabytes
def test_a_file_may_be_larger_than_four_gigabytes(tmp_path: Path) -> None:
    """As the vectors of 36 million users are; this one is full of holes, and takes no disk."""
    (tmp_path / "factors.npz").write_bytes(b"")
    empty = write_manifest(tmp_path, {}).model_dump()
    large = {"factors.npz": {"sha256": ZEROS, "bytes": LARGE}}
    (tmp_path / MANIFEST).write_text(json.dumps({**empty, "files": large}))
    with (tmp_path / "factors.npz").open("wb") as file:
        file.truncate(LARGE)
    assert verified(tmp_path).total_bytes() == LARGE


def test_arrays_are_written_so_that_each_may_be_larger_than_four_gigabytes(tmp_path: Path) -> None:
    """A zip that counts with 32 bits says so in its first lines, before it knows how much comes."""
    np.savez(tmp_path / "a.npz", vectors=np.ones(3, np.float32))
    needs = int.from_bytes((tmp_path / "a.npz").read_bytes()[4:6], "little")
    assert needs >= 45, "the version of zip that reads it: 4.5 has sizes of 64 bits"
    assert load_arrays(tmp_path / "a.npz", ["vectors"])["vectors"].tolist() == [1, 1, 1]
