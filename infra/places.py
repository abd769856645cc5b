"""Where things are: folders of the repository, of the lake, of the published store."""

from __future__ import annotations

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]


def candidates_of(run: str) -> str:
    """Return the folder of the lake that holds the trained candidates of a run."""
    return f"candidates/{run}"


def costs_key(place: str, name: str) -> str:
    """Return the file with the time and memory of a training, beside its model's folder."""
    return f"{place}/{name}.costs.json"


def bundle_key(run: str) -> str:
    """Return the folder of a run's bundle in the lake."""
    return f"bundles/{run}"


VERSIONS = "versions"


def version_key(version: str) -> str:
    """Return the folder of a version in the published store."""
    return f"{VERSIONS}/{version}"
