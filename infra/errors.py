"""Every error Catwalk raises on purpose: it names the fact and the cure."""

from __future__ import annotations

import errno
from pathlib import Path

from infra.hidden import hide_secrets

# A disk of another machine that is away for a moment, and what another process holds for one.
_PASSES = {errno.EAGAIN, errno.EBUSY, errno.ESTALE, errno.ETIMEDOUT, errno.EHOSTDOWN}


class CatwalkError(Exception):
    """Base of all errors a person can act on.

    Parameters
    ----------
    fact : str
        What is wrong, naming the thing: a full sentence.
    cure : str
        What to do about it: a full sentence.
    """

    def __init__(self, fact: str, cure: str) -> None:
        self.fact, self.cure = hide_secrets(fact), hide_secrets(cure)
        super().__init__(f"{self.fact} {self.cure}")

    def __reduce__(self) -> tuple[type[CatwalkError], tuple[str, str]]:
        """Rebuild from both parts, so that the error survives a process boundary."""
        return type(self), (self.fact, self.cure)


class SettingsError(CatwalkError):
    """A setting or a rules file is missing or wrong."""


class InputError(CatwalkError):
    """The data or the arguments given cannot be used."""


class StorageError(CatwalkError):
    """A file or an object cannot be read or written."""


class BusyError(StorageError):
    """A storage cannot do it now and may soon: it was tried again, and Airflow does once more."""


class SparkError(CatwalkError):
    """Spark could not be started, or a job on it failed."""


class GateError(CatwalkError):
    """A quality gate stopped the data, or could not check it."""


class ReleaseError(CatwalkError):
    """The candidate may not be released."""


class BundleError(CatwalkError):
    """A model bundle is incomplete, changed or of an unknown format."""


class PublishError(CatwalkError):
    """Publishing did not happen; what was live stays live."""


class AirflowError(CatwalkError):
    """Airflow could not be started, does not answer, or refused what was asked."""


def unusable(verb: str, path: Path, error: OSError) -> StorageError:
    """Say which file cannot be used, and why."""
    full = error.errno in {errno.ENOSPC, errno.EDQUOT}
    cure = "Free some space." if full else "Check that it exists and may be used."
    kind = BusyError if error.errno in _PASSES else StorageError
    return kind(f"Cannot {verb} {path}: {error.strerror}.", cure)
