"""Lets the pointer move to the treatment of an A/B test: it is checked, and a person answers."""

from __future__ import annotations

from infra.errors import BundleError, PublishError
from infra.ledger.live_pointer import history, live, lost, next_time, point
from infra.ledger.run_records import RunRecords
from infra.records.ab_tests import AbTest
from infra.records.release import Approval, PublishRecord
from infra.storage import Storage
from infra.stores.object_store import AlreadyExistsError
from models.publishing.roll_back_release import require_good

CURE = "Keep control, and start another test."


def ship_treatment(
    storage: Storage, test: AbTest, decided: Approval, asked_in: str
) -> PublishRecord:
    """Put the treatment of a test live; a second call for the same request changes nothing.

    Whoever ships a version that was rolled back lets it go live again.

    Raises
    ------
    BundleError
        The version is gone, is not what was published, or does not answer.
    PublishError
        Nothing was live before, the version was deleted, or somebody else moved the pointer.
    """
    now = live(storage)
    if now is None:
        raise PublishError("Nothing is live.", "A test compares with what was live: look why.")
    moved = shipped_by(storage, asked_in)
    if moved is not None:
        return moved
    wanted = _released_before(storage, test) or _never_live(storage, test)
    record = wanted.model_copy(
        update={
            "number": now.number + 1,
            "at": next_time(now),
            "previous": now.version,
            "action": "ship",
            "decided": decided,
            "asked_in": asked_in,
            "ab_test": test.name,
            "withdrawn": tuple(out for out in now.withdrawn if out.version != wanted.version),
            "roll_backs": now.roll_backs,
        }
    )
    require_good(storage, record)
    try:
        return point(storage, record)
    except AlreadyExistsError as error:
        raise lost(record, error) from error


def shipped_by(storage: Storage, asked_in: str) -> PublishRecord | None:
    """Return the pointer that a request moved; None if it has moved none."""
    moved = (pointer for pointer in history(storage) if pointer.asked_in == asked_in)
    return next((pointer for pointer in moved if pointer.action == "ship"), None)


def _released_before(storage: Storage, test: AbTest) -> PublishRecord | None:
    version = test.treatment.version
    return next((pointer for pointer in history(storage) if pointer.version == version), None)


def _never_live(storage: Storage, test: AbTest) -> PublishRecord:
    """Return the pointer that was written down when the version was published for the test."""
    record = RunRecords(storage, test.run).load_published()
    if record is None or record.version != test.treatment.version:
        raise BundleError(
            f"Nothing says how {test.treatment.version} was made, so it cannot go live.", CURE
        )
    return record
