"""The page Overrides inside Airflow: a viewer sees what is in force, and what came from a form."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from fastapi.testclient import TestClient

from infra.ledger.overrides import add_override, end_override
from infra.records.serving import Ending
from infra.storage import Storage
from tests.infra.airflow.test_pages import (  # noqa: F401 - fixtures
    HOSTILE,
    OVERRIDES,
    analyst,
    pages,
    web,
)
from tests.infra.ledger.test_overrides import override

HOUR = timedelta(hours=1)


def test_a_viewer_sees_what_is_in_force_to_come_and_over(
    analyst: TestClient,  # noqa: F811
    shop: Storage,
) -> None:
    assert "No override is in force" in analyst.get(OVERRIDES).text
    now = datetime.now(UTC)
    times = {"since": now - HOUR, "until": now + HOUR}
    add_override(shop, override(item_ids=("i1", "i2"), reason=HOSTILE, market="AT", **times))
    ahead = {"since": now + HOUR, "until": now + 2 * HOUR}
    add_override(shop, override(action="pin", place=3, item_ids=("i3",), **ahead))
    add_override(shop, override(action="boost", item_ids=("i4",), **times))
    end_override(shop, Ending(at=now, by="max", ends=3, reason="enough"))
    add_override(shop, override(item_ids=("i5",), since=now - 2 * HOUR, until=now - HOUR))
    page = analyst.get(OVERRIDES).text
    force, come = page.split("In force now")[1].split("To come")
    come, over = come.split("Over</h2>")
    assert "i1, i2" in force and "all placements, AT, all categories" in force
    assert "&lt;script&gt;" in force and HOSTILE not in page, "whatever a curator writes"
    assert "i3" in come and "Pin at place 3" in come and "everywhere" in come
    assert over.index("i4") < over.index("i5"), "ended last first"
    assert "Ended by max: enough" in over and "Ended by" not in force + come
    assert not {"i3", "i4", "i5"} & set(force.replace("<", " ").replace(">", " ").split())
    assert "were deleted" not in page


def test_an_override_that_somebody_deleted_is_told(
    analyst: TestClient,  # noqa: F811
    shop: Storage,
) -> None:
    for _ in range(3):
        add_override(shop, override())
    shop.published.delete("overrides/0000000002.json")
    assert "Overrides were deleted:</b> 2." in analyst.get(OVERRIDES).text


def test_a_record_that_cannot_be_read_is_no_empty_page(
    analyst: TestClient,  # noqa: F811
    shop: Storage,
) -> None:
    shop.published.write("overrides/0000000001.json", b"{}")
    answer = analyst.get(OVERRIDES)
    assert answer.status_code == 503 and "overrides/0000000001.json cannot be read" in answer.text
