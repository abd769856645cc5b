"""Who last changed a file, as far as git knows; honest where it does not."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

UNKNOWN, UNCOMMITTED = "unknown", "uncommitted"
SECONDS = 20


@dataclass(frozen=True)
class Change:
    """A commit and the name of its author; each may be `unknown`, the commit `uncommitted`."""

    commit: str
    author: str


def last_change(file: Path, content: bytes) -> Change:
    """Return the commit that gave a file this content.

    Returns
    -------
    Change
        `unknown` without git, outside a repository or in a shallow clone, whose last commit
        stands for all before it; `uncommitted` if git knows the file with another content or
        not at all.
    """
    committed = _git(file, "ls-tree", "--format=%(objectname)", "HEAD", "--", file.name)
    hashed = _git(file, "hash-object", "--stdin", given=content)
    if committed is None or hashed is None:
        return Change(UNKNOWN, UNKNOWN)
    if committed != hashed:
        return Change(UNCOMMITTED, UNKNOWN)
    if _git(file, "rev-parse", "--is-shallow-repository") != "false":
        return Change(UNKNOWN, UNKNOWN)
    said = _git(file, "log", "-1", "--format=%H%n%an", "--", file.name) or ""
    commit, _, author = said.partition("\n")
    return Change(commit or UNKNOWN, author or UNKNOWN)


def _git(file: Path, *arguments: str, given: bytes = b"") -> str | None:
    """Ask git in the folder of a file; None if it cannot answer."""
    around = {name: text for name, text in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", "-C", str(file.parent), *arguments],
            input=given,
            capture_output=True,
            timeout=SECONDS,
            env=around,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    answer = done.stdout.decode("utf-8", "replace").strip()
    return answer if done.returncode == 0 else None
