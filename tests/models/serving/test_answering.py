"""Who is answered by what, from bundles of all kinds of models."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.storage import Storage
from models.candidates import candidate_named, make
from models.merchandising.shop_rules import NO_RULES
from models.serving.answering import answer
from models.serving.question import Question
from models.serving.version import Version
from tests.models.conftest import AS_OF, arrays, tastes
from tests.models.serving.bundles import write_bundle

NOW = AS_OF


@pytest.fixture
def version(tmp_path: Path, shop: Storage) -> Version:
    candidate = candidate_named("also_bought")
    pairs, catalogue = tastes()
    train, items = arrays(pairs, catalogue)
    model = make(candidate, shop.settings).fit(train, items)
    return Version.open(write_bundle(tmp_path / "bundle", model, candidate, train, catalogue))


def test_home(version: Version) -> None:
    given = answer(version, NO_RULES, Question("home", user_key="user003", explain=True), NOW)
    assert len(given.item_ids) == 10 and set(given.sources) == {"personal"}
    given = answer(version, NO_RULES, Question("home", session_items=("item001",)), NOW)
    assert given.sources[0] == "session"
    given = answer(version, NO_RULES, Question("home", category="shoes"), NOW)
    assert set(given.sources) == {"bestseller"}
