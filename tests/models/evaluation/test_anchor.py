"""The recipe of an earlier version: which one is found, and what it is trained and scored as."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from infra.ledger.live_pointer import history, point
from infra.records.release import Approval, LiveRecipe, PublishRecord, Withdrawn
from infra.storage import Storage
from models.candidates import ANCHOR, Candidate, load_candidates
from models.evaluation.anchor import plan_anchor
from models.evaluation.evaluate import evaluate
from models.publishing.publish import publish
from models.release.keep_rules import keep_rules
from models.training.train import train
from tests.models.conftest import RUN, WriteRun, prepare_bundle

NOW = datetime(2026, 11, 24, tzinfo=UTC)
ALSO_BOUGHT = "models.recommenders.also_bought:AlsoBought"
BY_PERSON = Approval(by="pm", at=NOW, why="better")


def went_live(shop: Storage, days_ago: float, neighbours: int, **change: Any) -> str:
    """Point to a version whose files are gone; its pointer says how it was made."""
    number = len(list(history(shop))) + 1
    recipe = LiveRecipe(class_path=ALSO_BOUGHT, parameters={"neighbours": neighbours})
    given = {"run": RUN, "at": NOW - timedelta(days=days_ago), "number": number}
    given |= {"version": f"version{number}", "manifest_sha256": "0" * 64}
    record = {"candidate": "also_bought", "recipe": recipe, **given, **change}
    point(shop, PublishRecord.model_validate(record))
    return str(given["version"])


def planned(shop: Storage, *candidates: Candidate) -> Any:
    return plan_anchor(shop, candidates, NOW, 30)


def test_before_the_first_release_there_is_no_anchor(shop: Storage) -> None:
    assert planned(shop) is None


def test_it_is_what_was_live_so_many_days_ago(shop: Storage) -> None:
    for days, neighbours in ((50, 1), (31, 2), (29, 3), (1, 4)):
        went_live(shop, days, neighbours, decided=BY_PERSON if days == 1 else None)
    plan = planned(shop)
    assert (plan.version, plan.parameters) == ("version2", {"neighbours": 2})
    assert (plan.candidate, plan.scored_as, plan.missing) == ("also_bought", ANCHOR, "")


def test_in_a_young_shop_it_is_the_first_release_or_what_a_person_approved(shop: Storage) -> None:
    for days, neighbours in ((20, 1), (10, 2), (5, 3)):
        went_live(shop, days, neighbours)
    assert planned(shop).version == "version1"
    went_live(shop, 3, 4, decided=BY_PERSON)
    went_live(shop, 2, 5)
    assert planned(shop).version == "version4"


def test_a_version_that_was_rolled_back_from_is_no_anchor(shop: Storage) -> None:
    went_live(shop, 40, 1)
    bad = went_live(shop, 35, 2)
    out = (Withdrawn(version=bad, arrays_sha256="x"),)
    went_live(shop, 20, 1, withdrawn=out, action="roll_back", decided=BY_PERSON)
    assert planned(shop).version == "version1"


def test_a_candidate_of_the_same_recipe_stands_in(shop: Storage) -> None:
    went_live(shop, 40, 100, recipe=LiveRecipe(class_path=ALSO_BOUGHT, parameters={}))
    entry = {"name": "bought", "class": ALSO_BOUGHT, "why": "w"}
    same = Candidate.model_validate(entry)
    other = Candidate.model_validate({**entry, "parameters": {"neighbours": 7}})
    assert planned(shop, other, same).scored_as == "bought"
    assert planned(shop, other).scored_as == ANCHOR


KNOWN = LiveRecipe(class_path=ALSO_BOUGHT, parameters={"neighbours": 9})
GONE = LiveRecipe(class_path="models.recommenders.gone:Gone", parameters={})


@pytest.mark.parametrize(
    ("recipe", "said"), [(GONE, "models.recommenders.gone"), (None, "nobody wrote down")]
)
def test_a_recipe_that_cannot_be_made_is_said_or_gives_way_to_what_a_person_approved(
    shop: Storage, recipe: LiveRecipe | None, said: str
) -> None:
    went_live(shop, 40, 1, recipe=recipe)
    plan = planned(shop)
    assert plan.scored_as == "" and said in plan.missing
    for days, of_later in ((25, recipe), (20, KNOWN), (10, KNOWN)):
        went_live(shop, days, 1, recipe=of_later)
    assert planned(shop).version == "version3", "the oldest since whose recipe can be made"
    went_live(shop, 3, 5, decided=BY_PERSON)
    went_live(shop, 2, 6)
    assert planned(shop).version == "version5"


def test_an_approval_does_not_move_the_anchor_of_an_older_shop(shop: Storage) -> None:
    for days, decided in ((40, None), (35, BY_PERSON), (20, BY_PERSON), (2, BY_PERSON)):
        went_live(shop, days, 1, decided=decided)
    assert planned(shop).version == "version2"


def test_the_anchor_is_trained_again_and_scored_beside_the_champion(
    shop: Storage, write_run: WriteRun
) -> None:
    """Its recipe is in no file any more; of its version nothing is left but the pointer."""
    prepare_bundle(shop, write_run())
    went_live(shop, 40, 3)
    publish(shop, RUN)
    again = write_run(run="run=manual__2026-11-25T00-00-00")
    names = keep_rules(shop, again)
    assert names == [*(candidate.name for candidate in load_candidates()), ANCHOR]
    assert keep_rules(shop, again) == names, "planned once for a run"
    for name in names:
        train(shop, again, name)
    record = evaluate(shop, again)
    anchor = next(score for score in record.scores if score.role == "anchor")
    assert (anchor.name, anchor.parameters) == ("also_bought", {"neighbours": 3})
    assert record.anchor is not None
    assert (record.anchor.version, record.anchor.scored_as) == ("version1", ANCHOR)
    mine = next(score for score in record.scores if score.name == "content")
    assert "anchor" in [comparison.against for comparison in mine.comparisons]


def test_an_anchor_that_could_not_be_trained_stops_no_run(
    shop: Storage, write_run: WriteRun
) -> None:
    prepare_bundle(shop, write_run())
    went_live(shop, 40, 3)
    publish(shop, RUN)
    again = write_run(run="run=manual__2026-11-25T00-00-00")
    for name in keep_rules(shop, again):
        if name != ANCHOR:
            train(shop, again, name)
    record = evaluate(shop, again)
    assert record.anchor is not None and record.anchor.scored_as == ""
    assert ANCHOR in record.anchor.missing
    assert {score.role for score in record.scores} == {"candidate", "champion"}


def test_a_pointer_names_the_recipe_of_what_it_published(
    shop: Storage, write_run: WriteRun
) -> None:
    prepare_bundle(shop, write_run())
    recipe = publish(shop, RUN).recipe
    assert recipe is not None
    winner = next(each for each in load_candidates() if each.name == "also_bought")
    assert recipe.model_dump() == {
        "class_path": winner.class_path,
        "parameters": winner.parameters,
    }
