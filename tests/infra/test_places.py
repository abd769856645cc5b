"""The names of folders are in one file, which tells what lies in each."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.places import PLACES, REPOSITORY, Place
from infra.schemas import TABLES
from infra.storage import Storage
from tests.old_home import unpack_old_home

CODE = ("dags", "expectations", "infra", "jobs", "models")
# Names of tables are in infra/schemas.py, and are the words of gates, steps and columns too; the
# landing folder has the shop's own names; `stock` is a role of a token and a rule of the shop too.
WORDS = {table.name for table in TABLES} | {"airflow", "run=NAME", "stock"}
NAMES = {place.folder for place in PLACES} - WORDS | {"decisions", "gates", "profiles"}
# Words that a file uses for something else than a folder.
ELSEWHERE = {
    ("infra/report/page.py", "gates"),  # what the template calls the gates
    ("models/bundle/card.py", "overrides"),  # what the card calls those in force
    ("infra/demo/pictures.py", "decisions"),  # a picture
    ("infra/report/quality.py", "live"),  # the style of a curve
    ("jobs/replay_quarantine.py", "replayed"),  # a column of what it prints
    ("expectations/marts.py", "marts"),  # the name of the gate
    ("models/tracking/client.py", "mlflow"),  # a logger
    ("infra/shop/up.py", "mlflow"),  # a module, and the name of its process
    ("jobs/landing/unread_files.py", "looks"),  # how a file looks
    ("jobs/batches/examples.py", "replays"),  # the commands that replay
    ("models/tracking/home.py", "experiments"),  # a table of MLflow's database
    ("models/experiments/plan.py", "live"),  # the name of a variant
    ("models/experiments/frames.py", "index"),  # a word of pandas
    ("models/recommenders/first_stage.py", "profiles"),  # an array
}


def literals(file: Path) -> Iterator[str]:
    """Give the texts of a file, also the parts of f-strings, without docstrings."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.value


def spelled(file: Path) -> set[str]:
    """Return the names of folders that a file spells: alone, or at the start of a path."""
    return {
        name
        for text in literals(file)
        for name in NAMES
        if text == name or (text.startswith(f"{name}/") and " " not in text)
    }


@pytest.mark.parametrize("folder", CODE)
def test_no_other_file_spells_the_name_of_a_folder(folder: str) -> None:
    files = sorted((REPOSITORY / folder).rglob("*.py"))
    assert files
    found = {
        (str(file.relative_to(REPOSITORY)), name)
        for file in files
        if file != REPOSITORY / "infra/places.py"
        for name in spelled(file)
    }
    assert found - ELSEWHERE == set(), "take it from infra/places.py"


def test_the_rule_sees_a_name_alone_in_a_path_and_in_an_f_string(tmp_path: Path) -> None:
    file = tmp_path / "some.py"
    file.write_text('"""versions"""\na = "claims"\nb = f"bundles/{a}"\nc = "live is what counts"\n')
    assert spelled(file) == {"claims", "bundles"}


def test_every_exception_is_still_one() -> None:
    assert all(name in spelled(REPOSITORY / file) for file, name in ELSEWHERE)


def place_of(store: str, key: str) -> Place | None:
    """Return the place that a file of a store lies in."""
    if store == "reports" and key.startswith("run="):
        key = f"run=NAME/{key}"
    inside = [p for p in PLACES if p.store == store and key.startswith(f"{p.folder}/")]
    return max(inside, key=lambda place: len(place.folder), default=None)


def test_every_file_of_a_shop_lies_in_one_of_the_places(shop: Storage) -> None:
    unpack_old_home(shop.settings.home)
    stores = {"lake": shop.lake.store, "published": shop.published, "reports": shop.reports}
    keys = [(name, key) for name, store in stores.items() for key in store.list("")]
    assert len(keys) > 100
    assert [key for key in keys if place_of(*key) is None] == []


def test_tables_with_keys_of_users_say_so() -> None:
    by_name = {place.folder: place for place in PLACES if place.store == "lake"}
    for table in TABLES:
        holds = by_name[table.name].of_users
        assert (holds == "keys") == ("_key STRING" in table.ddl), table.name
    assert by_name["quarantine"].of_users == "ids", "rows as they came"


def test_a_shop_whose_bytes_hold_a_key_says_so_of_the_place(shop: Storage) -> None:
    """Every key of a user in the old home lies where the list says that keys may lie."""
    unpack_old_home(shop.settings.home)
    runs = shop.lake.partitions("recommendations")
    lists = shop.lake.dataset("recommendations", *runs).to_table(columns=["user_key"])
    keys = [key.encode() for key in set(lists["user_key"].to_pylist())]
    stores = {"lake": shop.lake.store, "published": shop.published, "reports": shop.reports}
    holding = {
        place_of(name, key)
        for name, store in stores.items()
        for key in store.list("")
        if any(user in store.read(key) for user in keys)
    }
    assert holding and all(place is not None and place.of_users for place in holding)
