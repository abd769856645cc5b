"""Answers which model was live at a moment, on which data, and who let it go live.

    python -m infra.ledger.who_was_live "2026-11-24 14:05"

A time is UTC unless it says another offset: "2026-11-24 14:05+01:00".
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime

from infra.command_line import INDENT, run_program
from infra.errors import InputError
from infra.ledger.decision_log import NO_MISS, THRESHOLDS
from infra.ledger.live_pointer import history
from infra.places import LIVE
from infra.records.release import PublishRecord
from infra.shop_home import open_home
from infra.storage import Storage
from infra.stores.numbered import missing, numbers
from infra.utc import in_utc

FORMAT = "%Y-%m-%d %H:%M:%S UTC"
EXAMPLE = 'Write it like "2026-11-24 14:05", in UTC, or with an offset: "2026-11-24 14:05+01:00".'


def parse_moment(text: str, now: datetime) -> datetime:
    """Read a time; without an offset it is UTC.

    Raises
    ------
    InputError
        It is not a time, or lies in the future.
    """
    try:
        moment = in_utc(datetime.fromisoformat(text.strip()))
    except ValueError as error:
        raise InputError(f"'{text[:60]}' is no time.", EXAMPLE) from error
    if moment > now:
        raise InputError(f"{moment:{FORMAT}} lies in the future.", "Nobody knows yet.")
    return moment


def who_was_live(storage: Storage, moment: datetime, now: datetime) -> list[tuple[str, str]]:
    """Return the answer as names and values; raises `PublishError` for a broken pointer.

    Where a pointer of that time was deleted, or the next one dates from the future, nobody can
    tell, and the answer says so.
    """
    then: PublishRecord | None = None
    after: PublishRecord | None = None
    released: PublishRecord | None = None
    for record in history(storage):
        if record.at > moment:
            after = record
            continue
        then = then or record
        if record.version == then.version and record.is_release:
            released = record
            break
    asked = ("Asked", f"{moment:{FORMAT}}")
    unknown = _deleted_between(then, after, storage) or _from_the_future(after, now)
    if unknown:
        return [asked, ("Live", f"unknown: {unknown}"), *_known_around(then, after)]
    if then is None:
        first = f"; the first went live {after.at:{FORMAT}}" if after else ""
        return [asked, ("Live", f"nothing yet{first}")]
    return [asked, *_facts(then, released), ("Until", _until(after))]


def _deleted_between(
    then: PublishRecord | None, after: PublishRecord | None, storage: Storage
) -> str:
    """Say which pointers are gone between two; empty if none is."""
    present = numbers(storage.published, LIVE)
    first, end = then.number if then else 0, after.number if after else max(present, default=0)
    gone = [str(number) for number in missing(present) if first < number < end]
    if len(gone) == 1:
        return f"pointer {gone[0]} was deleted"
    return f"pointers {', '.join(gone)} were deleted" if gone else ""


def _from_the_future(after: PublishRecord | None, now: datetime) -> str:
    """Name the next pointer if a clock ahead dated it: it went live before now, who knows when."""
    if after is None or after.at <= now:
        return ""
    return f"pointer {after.number} dates from the future, by a clock that was ahead"


def _known_around(
    then: PublishRecord | None, after: PublishRecord | None
) -> Iterator[tuple[str, str]]:
    if then is not None:
        yield "Known before", f"{then.version} (pointer {then.number}) since {then.at:{FORMAT}}"
    if after is not None:
        yield "Known after", f"{_until(after)} (pointer {after.number})"


def decided_by(record: PublishRecord) -> str:
    """Say who let a pointer move."""
    if record.decided is None:
        return f"{THRESHOLDS}: {NO_MISS}"
    return f"{record.decided.by}: {record.decided.why}"


def _facts(then: PublishRecord, released: PublishRecord | None) -> Iterator[tuple[str, str]]:
    yield "Live", f"{then.version} (pointer {then.number})"
    yield "Model", f"{then.candidate} of {then.run}"
    if then.data is not None:
        yield "Data", f"events from {then.data.start} to {then.data.as_of}"
        yield "Batches", f"{len(then.data.batches)}: {', '.join(then.data.batches)}"
    if then.thresholds is not None:
        yield "Thresholds", f"sha256 {then.thresholds.sha256}"
    if released is None:
        yield "Released", "unknown: the pointer of that release was deleted"
    else:
        yield "Released", f"{released.at:{FORMAT}} by {decided_by(released)}"
    if then.action == "roll_back":
        yield "Rolled back", f"{then.at:{FORMAT}} from {then.previous} by {decided_by(then)}"
    yield "Bundle", f"sha256 {then.manifest_sha256}"


def _until(after: PublishRecord | None) -> str:
    if after is None:
        return "now: it is live"
    how = {"roll_back": "rolled back", "ship": f"by the A/B test {after.ab_test}"}.get(
        after.action, "replaced by a release"
    )
    return f"{after.at:{FORMAT}}, {how}: {after.version} by {decided_by(after)}"


def main() -> int:
    """Print the answer for the time given as the one argument."""
    text = sys.argv[1] if len(sys.argv) == 2 else ""
    now = datetime.now(UTC)
    answer = who_was_live(Storage(open_home()), parse_moment(text, now), now)
    width = max(len(name) for name, _ in answer)
    print("\n".join(f"{INDENT}{name.ljust(width)}  {value}" for name, value in answer))
    return 0


if __name__ == "__main__":
    sys.exit(run_program(main))
