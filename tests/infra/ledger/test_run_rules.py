"""What a run keeps of the files that people edit: the first bytes, whole, or an error."""

from __future__ import annotations

import hashlib
from dataclasses import fields, replace
from pathlib import Path

import pytest

from infra.errors import SettingsError, StorageError
from infra.ledger.run_rules import RuleFiles, files_of, keep, kept_rules, read_files, rules_of
from infra.places import RULES
from infra.storage import Storage

RUN = "run=manual__2026-11-24T00-00-00"


def having(shop: Storage, file: Path) -> RuleFiles:
    return replace(files_of(shop.settings), release=file)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "release.yaml"
    path.write_bytes(b"# 5 \xe2\x82\xac\r\nndcg_at_10: {min: 0.1, why: w}\n")
    return path


def test_the_bytes_are_kept_as_they_are(shop: Storage, file: Path) -> None:
    keep(shop, read_files(RUN, having(shop, file)))
    content = file.read_bytes()
    file.write_text("gone")
    kept = rules_of(shop, RUN).release
    assert kept.content == content
    assert (kept.origin, kept.sha256) == (str(file), hashlib.sha256(content).hexdigest())


def test_the_first_that_was_kept_counts(shop: Storage, file: Path) -> None:
    first = keep(shop, read_files(RUN, having(shop, file)))
    before = shop.reports.read(f"{RUN}/{RULES}")
    file.write_text("later: {}")
    assert keep(shop, read_files(RUN, having(shop, file))) == first
    assert shop.reports.read(f"{RUN}/{RULES}") == before


def test_a_run_of_an_earlier_catwalk_obeys_the_files_as_they_are(shop: Storage) -> None:
    assert kept_rules(shop, RUN) is None
    rules = rules_of(shop, RUN)
    assert rules.candidates.content == files_of(shop.settings).candidates.read_bytes()
    assert rules.release.origin == "models/release.yaml", "a name of the repository, not a place"


def test_what_was_changed_afterwards_is_refused(shop: Storage) -> None:
    keep(shop, read_files(RUN, files_of(shop.settings)))
    content = shop.reports.read(f"{RUN}/{RULES}")
    shop.reports.write(f"{RUN}/{RULES}", content.replace(b"noise_refits: 2", b"noise_refits: 0"))
    with pytest.raises(StorageError, match=r"rules\.json cannot be read.*candidates\.yaml"):
        rules_of(shop, RUN)


@pytest.mark.parametrize("content", [b"\xff\xfe", None])
def test_a_file_that_is_no_text_or_missing_is_named(
    content: bytes | None, shop: Storage, tmp_path: Path
) -> None:
    file = tmp_path / "release.yaml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsError, match=f"{file}"):
        read_files(RUN, having(shop, file))


def test_every_file_is_a_part_of_the_record(shop: Storage) -> None:
    files = read_files(RUN, files_of(shop.settings)).files
    assert list(files) == [field.name for field in fields(RuleFiles)]
    assert all(file.text for file in files.values())
