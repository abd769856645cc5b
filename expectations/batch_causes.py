"""Says in one sentence where the rows of a batch went that brought no event, or hardly any."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from expectations.checking.causes import WRONG_COLUMNS, Cause, explain, table_causes
from expectations.event_measures import BATCH, OUT_OF_TIME
from expectations.past import MEASURES as AGAINST_THE_PAST
from infra.ledger.batches import Batch
from infra.records.gates import Check
from infra.schemas import Reason

_BECAME = {
    Reason.NOT_UTF8: "are not UTF-8",
    Reason.UNKNOWN_TYPE: "are of an unknown type of event",
    Reason.FUTURE_TIME: "lie in the future",
    Reason.TOO_OLD: "are too old",
    Reason.WRONG_ID: "have an id that is refused",
    Reason.NO_USER: "are of nobody",
    Reason.CONFLICTING_ID: "share the id of a different event",
    Reason.TOO_MANY_ELEMENTS: "are lines of too many events",
}
_REPEATS, _IGNORED = "repeat earlier ones", "are ignored by a rule of the source"
_OF_EVENTS = frozenset({*BATCH, *AGAINST_THE_PAST} - {WRONG_COLUMNS, OUT_OF_TIME})
_FRESHNESS = frozenset({"hours_since_last_event", "accepted_batches"})


def explain_batch(batch: Batch, checks: Sequence[Check]) -> list[Check]:
    """Write into each failed check of a batch the cause that it follows from."""
    late = _late_causes(batch, checks)
    return explain(checks, [*table_causes(checks), *late, *_causes(batch)])


def explain_source(batches: Iterable[Batch], checks: Sequence[Check]) -> list[Check]:
    """Write into the failed checks of a source that its new batches brought no event, if so."""
    new = list(batches)
    if not new or any(batch.manifest["clean"] for batch in new):
        return list(checks)
    return explain(checks, [Cause(no_event(new[-1]), _FRESHNESS, unmeasured=False)])


def no_event(batch: Batch) -> str:
    """Say why a batch brought no new event: by what became of most of its rows."""
    if not batch.manifest["rows_read"]:
        return f"no row came in {batch.name}: it is empty"
    return f"no new event came in {batch.name}: {_most(batch.manifest)}"


def new_rows(manifest: Mapping[str, Any]) -> int:
    """Count the rows of a batch that neither repeat earlier ones nor are ignored."""
    return int(manifest["rows_read"] - manifest.get("duplicates", 0) - ignored_rows(manifest))


def late_files(batch: Batch) -> list[str]:
    """Name the files of a batch of which no row is in time, each with its rows."""
    return [
        f"{file['file'].rpartition('/')[2]}: {file['rows']:,} rows {_BECAME[file['reason']]}"
        for file in batch.manifest.get("out_of_time", [])
    ]


def ignored_rows(manifest: Mapping[str, Any]) -> int:
    """Count the rows of a batch that a rule of its source ignores."""
    return sum(manifest.get("not_events", {}).values())


def _late_causes(batch: Batch, checks: Sequence[Check]) -> Iterator[Cause]:
    """Explain the shares of refused rows that no other file would have broken."""
    late = Counter[str]()
    for file in batch.manifest.get("out_of_time", []):
        late.update({file["reason"]: file["rows"], "": file["rows"]})
    rows = max(new_rows(batch.manifest), 1)
    shares = {f"quarantined_{reason or 'share'}": count / rows for reason, count in late.items()}
    follow = {check.name for check in checks if _would_pass(check, shares.get(check.name))}
    if follow:
        first, *more = late_files(batch)
        says = f"all of a file out of time: {first}"
        says += f", and {len(more)} more files" if more else ""
        yield Cause(says, frozenset(follow), unmeasured=False)


def _would_pass(check: Check, share: float | None) -> bool:
    """Tell whether a check fails for a share of the rows alone."""
    if share is None or check.value is None or check.max is None:
        return False
    return check.failed and check.value - share <= check.max


def _causes(batch: Batch) -> Iterator[Cause]:
    """Without an event every rule fails; with most rows refused those that count what is left."""
    refused = batch.manifest["quarantined"]
    if not batch.manifest["clean"]:
        yield Cause(no_event(batch), _OF_EVENTS)
    elif refused and max(refused.values()) > new_rows(batch.manifest) / 2:
        reason = max(refused, key=lambda name: refused[name])
        follow = {"quarantined_share", f"quarantined_{reason}", *AGAINST_THE_PAST}
        says = f"few events came in {batch.name}: {_most(batch.manifest)}"
        yield Cause(says, frozenset(follow), unmeasured=False)


def _most(manifest: Mapping[str, Any]) -> str:
    """Say what became of most rows that are no event."""
    became = {
        **{_refused(reason): rows for reason, rows in manifest["quarantined"].items()},
        _REPEATS: manifest.get("duplicates", 0),
        _IGNORED: ignored_rows(manifest),
    }
    word = max(became, key=lambda name: became[name])
    rows, read = became[word], manifest["rows_read"]
    if not rows:
        return "the books do not say what became of its rows"
    return f"{'all' if rows == read else f'{rows:,} of'} its {read:,} rows {word}"


def _refused(reason: str) -> str:
    known = {name.value: words for name, words in _BECAME.items()}
    return known.get(reason, f"were refused as {reason.replace('_', ' ')}")
