"""The page A/B tests: those that run, those that wait to be decided, and those that are over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from infra.ledger.ab_tests import read_ab_tests
from infra.places import AB_TESTS
from infra.records.ab_tests import METRIC_NAMES
from infra.report.airflow_links import START_AB_TEST
from infra.report.differences import percent, range_of
from infra.report.known_tests import KnownTest, known_test
from infra.report.offline_online import agreement, both_ways
from infra.report.templates import Frame, fill
from infra.storage import Storage
from infra.stores.numbered import missing, numbers

SHOWN = 25  # tests that are over; each has a verdict to read


@dataclass(frozen=True)
class AbTestsPage:
    """The content of the page, each part with the newest test first.

    Attributes
    ----------
    exposing : tuple of KnownTest
        New units still come in.
    maturing : tuple of KnownTest
        No new units count; those there are watched to their end.
    due : tuple of KnownTest
        They have a verdict, or are void or do harm, and nobody has decided.
    over : tuple of KnownTest
        Decided, at most `SHOWN`.
    deleted : str
        The numbers of records that are gone: nobody but a person deletes them.
    """

    exposing: tuple[KnownTest, ...]
    maturing: tuple[KnownTest, ...]
    due: tuple[KnownTest, ...]
    over: tuple[KnownTest, ...]
    deleted: str


def find_ab_tests(storage: Storage, now: datetime) -> AbTestsPage:
    """Return what the page shows at a time.

    Raises
    ------
    StorageError
        A record cannot be read: half an answer would mislead.
    """
    states = list(reversed(read_ab_tests(storage).tests.values()))
    running = [known_test(storage, state) for state in states if state.ended is None]
    over = [state for state in states if state.ended][:SHOWN]
    early = [test for test in running if not test.can_be_decided]
    return AbTestsPage(
        exposing=tuple(test for test in early if now < test.state.exposed_until),
        maturing=tuple(test for test in early if now >= test.state.exposed_until),
        due=tuple(test for test in running if test.can_be_decided),
        over=tuple(known_test(storage, state) for state in over),
        deleted=", ".join(map(str, missing(numbers(storage.published, AB_TESTS)))),
    )


def render_ab_tests(page: AbTestsPage, frame: Frame) -> str:
    """Turn the page into HTML."""
    names = {"metric_names": METRIC_NAMES, "start": START_AB_TEST, "shown": SHOWN}
    compared = both_ways((*page.due, *page.over))
    told = {"compared": compared, "agreement": agreement(compared), "percent": percent}
    return fill("ab_tests.html", frame, page=page, **names, **told, range_of=range_of)
