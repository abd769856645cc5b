"""Says where the models of a run come from, in MLflow's own words: which tables, and which code."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.schemas import INTERACTIONS, ITEMS
from infra.storage import Storage
from models.data.run_tables import inputs_of

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput

DIGEST_LETTERS = 32  # MLflow keeps 36
TRAINING = "training"
_TYPES = {"STRING": "string", "FLOAT": "float", "INT": "integer", "TIMESTAMP": "datetime"}
_FACTS = ("rows", "start", "cut", "as_of")
_REPOSITORY = Path(__file__).parents[2]


def data_of(storage: Storage, run: str) -> list[DatasetInput]:
    """Describe the interactions of a run as MLflow's data set; empty where they are gone."""
    if run not in storage.lake.partitions(INTERACTIONS.name):
        return []
    from mlflow.entities import Dataset, DatasetInput, InputTag

    facts = storage.lake.manifest(INTERACTIONS.name, run)
    address = storage.lake.address(INTERACTIONS.name, run)
    data = Dataset(
        name=f"{INTERACTIONS.name} {run}",
        digest=inputs_of(storage, run, INTERACTIONS, ITEMS)[:DIGEST_LETTERS],
        source_type="s3" if "://" in address else "local",
        source=json.dumps({"uri": address}),
        schema=json.dumps({"mlflow_colspec": _columns()}),
        profile=json.dumps({name: facts[name] for name in _FACTS if name in facts}, default=str),
    )
    return [DatasetInput(data, [InputTag("mlflow.data.context", TRAINING)])]


def commit_of_code() -> str:
    """Return the commit that this code was checked out from; empty in a copy without git."""
    command = ["git", "-C", str(_REPOSITORY), "rev-parse", "HEAD"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout.strip()


def _columns() -> list[dict[str, Any]]:
    return [
        {"name": name, "type": _TYPES[kind], "required": name in INTERACTIONS.required}
        for name, kind in INTERACTIONS.kinds.items()
    ]
