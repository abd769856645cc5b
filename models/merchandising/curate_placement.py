"""Writes what a curator wants to be shown, or not, as the form says; or ends that early."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import ValidationError

from infra.errors import InputError
from infra.ledger.ended_records import Known
from infra.ledger.live_pointer import live
from infra.ledger.overrides import add_override, end_override, read_overrides
from infra.placements import load_placements
from infra.records.serving import Ending, Override
from infra.rules import describe
from infra.schemas import CATALOGUE
from infra.storage import Storage
from infra.utc import in_utc

END = "end"
MOST_DAYS = 366  # of one override: what lasts for ever is forgotten, and shows the wrong things
SCOPE = ("placement", "market", "category")
Form = Mapping[str, Any]


def curate_placement(
    storage: Storage, form: Form, by: str, run: str, now: datetime | None = None
) -> dict[str, Any]:
    """Write one override, or the early end of one; a run of the form writes once.

    Parameters
    ----------
    form : mapping
        `action`, `items`, `place`, `placement`, `market`, `category`, `since`, `until`, `override`
        and `reason`, as the DAG `curate_placement` asks for them; None and "" are left out.
    by, run : str
        Who sent the form, and the run that this began.

    Returns
    -------
    dict
        The number of the record, and what it does.

    Raises
    ------
    InputError
        A field is missing, wrong or does not belong to the action; an item or a category is unknown
        in what is live; or there is nothing to end.
    """
    now, known = now or datetime.now(UTC), read_overrides(storage)
    written = _written_by(run, known)
    if written is None and form.get("action") == END:
        written = end_override(storage, _ending(form, by, run, now))
    elif written is None:
        override = _override(form, by, run, now)
        _require_known(storage, override, now)
        written = add_override(storage, override)
    if isinstance(written, Ending):
        return {"number": written.number, "action": END, "override": written.ends}
    return {
        "number": written.number,
        "action": written.action,
        "items": len(written.item_ids),
        "since": written.since.isoformat(),
        "until": written.until.isoformat(),
    }


def _written_by(run: str, known: Known[Override]) -> Override | Ending | None:
    """Return what this run of the form has written, in an attempt that died afterwards."""
    records: list[Override | Ending] = [*known.records.values(), *known.endings.values()]
    return next((record for record in records if record.run == run), None)


def _ending(form: Form, by: str, run: str, now: datetime) -> Ending:
    filled = [name for name in ("items", "place", *SCOPE, "since", "until") if form.get(name)]
    if filled:
        raise InputError(
            f"'{filled[0]}' is filled in, and an ending takes no such thing.",
            "Name the number of the override and the reason; all else stays empty.",
        )
    if not form.get("override"):
        raise InputError("No override is named.", "Take its number from the page Overrides.")
    said = {"ends": form["override"], "reason": _words(form, "reason")}
    try:
        return Ending.model_validate({"at": now, "by": by, "run": run, **said})
    except ValidationError as error:
        raise _wrong(error) from error


def _override(form: Form, by: str, run: str, now: datetime) -> Override:
    if form.get("override"):
        raise InputError(
            "An override is named, and nothing ends.",
            "Choose the action 'end', or leave 'override' empty: an override is never changed.",
        )
    since = _time(form, "since") or now
    until = _time(form, "until")
    if until is None:
        raise InputError("'until' is empty.", "Say when it ends by itself; you can end it earlier.")
    if until <= now:
        raise InputError(f"'until' {until:%Y-%m-%d %H:%M} UTC is over.", "Name a time to come.")
    if until - since > timedelta(days=MOST_DAYS):
        raise InputError(
            f"It would last {(until - since).days} days.", f"Let it last at most {MOST_DAYS}."
        )
    scope = {name: _words(form, name) for name in SCOPE}
    items = [str(name).strip() for name in form.get("items") or () if str(name).strip()]
    said = {"action": form.get("action"), "place": form.get("place") or None, "item_ids": items}
    said |= {"since": max(since, now), "until": until, "reason": _words(form, "reason")}
    try:
        return Override.model_validate({"at": now, "by": by, "run": run, **scope, **said})
    except ValidationError as error:
        raise _wrong(error) from error


def _wrong(error: ValidationError) -> InputError:
    return InputError(f"The form is wrong: {describe(error)}", "Correct it and send it again.")


def _words(form: Form, name: str) -> str:
    return str(form.get(name) or "").strip()


def _time(form: Form, name: str) -> datetime | None:
    """Read a time; one without a zone is UTC."""
    text = _words(form, name)
    try:
        return in_utc(datetime.fromisoformat(text)) if text else None
    except ValueError as error:
        raise InputError(
            f"'{name}' is no time: {text[:40]}.", "Write it like 2026-11-24T14:00, in UTC."
        ) from error


def _require_known(storage: Storage, override: Override, now: datetime) -> None:
    """Refuse a place that nobody has, and names that would do nothing without a word."""
    _require_placement(storage, override)
    if override.since > now:
        return  # the items may come by then
    for name, column, wanted in (
        ("item", "item_id", override.item_ids),
        ("category", "category", (override.category,) if override.category else ()),
    ):
        unknown = list(_unknown(storage, column, wanted))
        if unknown:
            raise InputError(
                f"What is live has no {name} {', '.join(map(repr, unknown))}.",
                "Correct it; for items that are still to come, say from when ('since').",
            )


def _require_placement(storage: Storage, override: Override) -> None:
    placements = load_placements(storage.settings.placements).placements
    if override.placement and override.placement not in placements:
        raise InputError(
            f"There is no placement '{override.placement}'.",
            f"Leave it empty for all, or name one of: {', '.join(placements)}.",
        )
    length = placements[override.placement].length if override.placement else None
    last = (override.place or 0) + len(override.item_ids) - 1
    if override.place and length and last > length:
        raise InputError(
            f"{override.placement} has {length} places, and the last item would be at {last}.",
            "Pin fewer items, or further in front.",
        )


def _unknown(storage: Storage, column: str, wanted: Sequence[str]) -> Iterator[str]:
    """Give the values that the catalogue of what is live lacks; none where nobody can tell."""
    from pyarrow.compute import field

    pointer = live(storage)
    if pointer is None or not wanted or pointer.run not in storage.lake.partitions(CATALOGUE.name):
        return
    dataset = storage.lake.dataset(CATALOGUE.name, pointer.run)
    found = dataset.to_table([column], filter=field(column).isin(list(wanted)))
    present = set(found[column].to_pylist())
    yield from (value for value in wanted if value not in present)
