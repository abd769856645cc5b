"""The reader that a page prints answers as Catwalk does, for every kind of model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from infra.storage import Storage
from models.candidates import Candidate
from models.merchandising.shop_rules import NO_RULES
from models.publishing.publish import publish
from models.recommender import Recommender
from models.serving.answering import answer
from models.serving.question import Answer, Question
from models.serving.version import Version
from tests.docs.commands import blocks
from tests.models.conftest import (  # noqa: F401 - fixtures
    AS_OF,
    arrays,
    everyone,
    fitted,
    prepare_bundle,
    recipe,
    short_lists,
    tastes,
    write_tables,
)
from tests.models.serving.bundles import PLACEMENTS, write_bundle

MORE = {
    **PLACEMENTS,
    "again": {"answers": "again", "length": 4, "leave_out": "nothing"},
    "mail": {"answers": "looked_at", "length": 4, "leave_out": "bought", "within_days": 9},
    "page": {"answers": "similar", "length": 8, "leave_out": "nothing"},
    "cart": {"answers": "together", "length": 8, "leave_out": "nothing"},
}
# What their models hold is too much to answer from by a page.
OTHER_KINDS = {"session_neighbours", "blend", "blend_by_ranks"}


@pytest.fixture(scope="module")
def page() -> dict[str, Any]:
    """Return what the last block of the page defines."""
    defined: dict[str, Any] = {}
    exec(blocks("use_what_is_published.md")[-1], defined)
    return defined


def answered(version: Version, placement: str, **asked: Any) -> Answer:
    return answer(version, NO_RULES, Question(placement, **asked), AS_OF)


def own_places(given: Answer, source: str) -> list[str]:
    """Return the items that did not come to fill the list."""
    pairs = zip(given.item_ids, given.sources, strict=True)
    return [item for item, of in pairs if of == source]


@everyone
def test_it_answers_as_the_server(
    page: dict[str, Any],
    tmp_path: Path,
    candidate: Candidate,
    fitted: Recommender,  # noqa: F811
) -> None:
    pairs, catalogue = tastes()
    train, _ = arrays(pairs, catalogue)
    folder = write_bundle(tmp_path / "bundle", fitted, candidate, train, catalogue, MORE)
    version, reader = Version.open(folder), page["Reader"](folder)
    met = 0
    for user in train.users.tolist():
        given = answered(version, "home", user_key=user).item_ids
        assert reader.ready(user, "home") == given, user
        assert not reader.model or reader.for_user(user, "home") == given, user
        for placement in ("again", "mail"):
            own = reader.own(user, placement)
            assert own == answered(version, placement, user_key=user).item_ids[: len(own)]
            met += len(own)
    assert met > 100
    assert (reader.model is None) == (candidate.name in OTHER_KINDS)
    asked = train.items[[3, 30]].tolist()
    if reader.model and candidate.name != "popularity":
        for placement, ids, source in (("page", asked[:1], "similar"), ("cart", asked, "session")):
            like = own_places(answered(version, placement, item_ids=tuple(ids)), source)
            assert like or candidate.name == "again", "only itself is like an item"
            assert reader.for_items(ids, 8)[: len(like)] == like
    best = reader.items["ids"][reader.best["items"]].tolist()
    assert best[:10] == answered(version, "home").item_ids


def test_it_checks_what_is_live_to_the_last_byte(page: dict[str, Any], shop: Storage) -> None:
    run = write_tables(shop)
    prepare_bundle(shop, run)
    folder = Path(shop.published.address, "versions", publish(shop, run).version)
    published = Path(shop.published.address)
    assert page["live_version"](published) == folder
    page["Reader"](folder)
    for name in ("bestsellers.npz", "_manifest.json"):
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content.replace(b"e", b"f", 1))
        with pytest.raises(AssertionError):
            page["live_version"](published)
        (folder / name).write_bytes(content)
