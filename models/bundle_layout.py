"""Names of the files in a bundle, and how a version gets its name."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

from infra.stores.object_store import MANIFEST

MODEL, JUDGED, LISTS = "model", "judged", "recommendations"
CARD, CARD_PAGE, FALLBACK = "card.json", "card.md", "fallback.json"
BESTSELLERS = "bestsellers.npz"
LISTS_WRITTEN_AT = "lists_written_at"  # fact of the manifest: says which lists these are
KEYS = "keys"  # fact of the manifest: the fingerprint of the secret of its keys
STRANGER = "nobody-ever-had-this-key"


def version_of(folder: Path) -> str:
    """Name a bundle by its time and its content: `20261124T000000Z-0123456789ab`."""
    manifest = json.loads((folder / MANIFEST).read_bytes())
    as_of = datetime.fromisoformat(manifest["facts"]["as_of"]).astimezone(UTC)
    return f"{as_of:%Y%m%dT%H%M%SZ}-{manifest_sha256(folder)[:12]}"


def manifest_sha256(folder: Path) -> str:
    """Hash the manifest, which names the hash of everything else."""
    return hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()
