"""The notebooks of the docs run from their first cell to their last, on a shop of another size."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from infra.storage import Storage
from tests.conftest import REPOSITORY
from tests.models.conftest import RUN, step, tastes, write_tables
from tests.models.experiments.test_experiment import save_gates

NOTEBOOK = REPOSITORY / "docs/notebooks/explore.ipynb"


def test_a_notebook_goes_from_the_tables_of_a_run_to_a_scored_model(
    shop: Storage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pairs, items = tastes()
    visits = [
        step(str(pair["user_key"]), str(pair["item_id"]), place, part=pair["part"])
        for place, pair in enumerate(pairs)
    ]
    save_gates(shop, write_tables(shop, pairs, items, steps=visits))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert len(cells) <= 10 and all(cell.outputs or cell is cells[5] for cell in cells)
    for cell in cells:
        cell.outputs = []
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    text = cells[-1].outputs[0]["text"]
    assert text.startswith("highest: ") and text.rstrip().endswith(": better")
    shapes = cells[0].outputs[0]["data"]["text/plain"]
    assert f"'steps': ({len(visits)}, " in shapes and f"'interactions': ({len(pairs)}, " in shapes
    assert RUN not in "".join(map(str, notebook.cells)), "whatever the run is called"
