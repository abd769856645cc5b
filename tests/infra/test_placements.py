"""Placements: the shipped files are read, and whatever is wrong is refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.errors import SettingsError
from infra.ledger.run_rules import placements_of
from infra.placements import ListRule, load_placements, parse_placements
from infra.places import REPOSITORY
from infra.settings import Settings, load_settings
from infra.storage import Storage
from tests.conftest import SECRET

HOME = """
success: [purchase]
judged_by: ndcg_at_10
placements:
  home: {answers: personal, length: 20, leave_out: bought, within_days: 30, why: "x"}
"""
MORE = "  {}: {{answers: personal, length: {}, leave_out: {}, why: x}}\n"


def test_the_default_leaves_out_what_was_bought_in_30_days(shop: Storage) -> None:
    placements = placements_of(shop, "run=1")
    assert (placements.home.rule, placements.home.length) == (ListRule("bought", 30), 20)
    assert placements.success == ("purchase", "cart", "wishlist")
    assert placements.judged_by == "ndcg_at_10"
    assert set(placements.placements) == {*placements.listed, "product_page", "catalogue", "cart"}
    assert set(placements.listed) == {"home", "newsletter", "again", "retargeting"}
    assert set(placements.of_history) == {"again", "retargeting"}
    assert placements.by_rule == {ListRule("bought", 30): {"home": 20, "newsletter": 20}}


def test_a_shop_of_repeats_leaves_out_nothing() -> None:
    rules = load_placements(REPOSITORY / "models/placements_buy_again.yaml").by_rule
    assert rules == {ListRule("nothing"): {"home": 20, "newsletter": 20}}


def test_placements_with_equal_rules_are_one() -> None:
    content = HOME + MORE.format("mail", 5, "seen") + MORE.format("app", 50, "seen")
    assert parse_placements(content.encode(), "it").by_rule == {
        ListRule("bought", 30): {"home": 20},
        ListRule("seen"): {"mail": 5, "app": 50},
    }


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("within_days: 30, ", "", "'leave_out: bought' needs 'within_days'"),
        ("bought", "seen", "'within_days' belongs to 'leave_out: bought', not to 'seen'"),
        ("bought", "clicked", "key 'placements.home.leave_out': input should be 'bought', 'seen'"),
        ("length: 20, ", "", "key 'placements.home.length' is missing"),
        ("length: 20", "length: 0", "'placements.home.length'.*greater than or equal to 1"),
        ("length: 20", "lenght: 20", "unknown key 'placements.home.lenght'"),
        ("within_days: 30", "within_days: 0", "'placements.home.within_days'.*greater"),
        ("answers: personal", "answers: popular", "'placements.home.answers'.*'personal'"),
        ("answers: personal", "answers: similar", "'home' must be personal"),
        ("length: 20,", "length: 20, within: category,", "'home' must be personal, and not within"),
        ("length: 20,", "length: 20, within: market,", "'placements.home.within'.*'category'"),
        ("length: 20,", "length: 20, same: [brand],", "'same' belongs to 'answers: similar'"),
        ('why: "x"', 'why: ""', "'placements.home.why'"),
        ("  home:", "  start:", "'home' is missing, the placement that releases are judged by"),
        ("  home:", "  Home page:", "'Home page' is no name: up to 40 small letters"),
        ("[purchase]", "[]", "'success'"),
        ("[purchase]", "[purchase, purchase]", "'success'.*named twice"),
        ("[purchase]", "[impression]", "'impression' is no success; possible are view, click"),
        ("[purchase]", "[return]", "'return' is no success"),
        ("[purchase]", "[buy]", "'buy' is no success"),
        ("judged_by: ndcg_at_10", "judged_by: NDCG", "'judged_by'"),
        ("success:", "succes:", "key 'success' is missing.*unknown key 'succes'"),
    ],
)
def test_a_wrong_file_is_refused_by_name(old: str, new: str, says: str) -> None:
    assert parse_placements(HOME.encode(), "mine.yaml")
    with pytest.raises(SettingsError, match=f"^mine.yaml: .*{says}"):
        parse_placements(HOME.replace(old, new).encode(), "mine.yaml")


SIMILAR = "answers: similar, length: 5, leave_out: nothing, same: [brand, colour]"
CATALOGUE = "answers: personal, length: 5, leave_out: nothing, within: category"


def test_a_placement_that_needs_more_of_a_question_has_no_published_list() -> None:
    content = HOME + f"  page: {{{SIMILAR}, why: x}}\n  shelf: {{{CATALOGUE}, why: x}}\n"
    placements = parse_placements(content.encode(), "it")
    assert placements.placements["page"].same == ("brand", "colour")
    assert set(placements.listed) == {"home"}
    assert placements.by_rule == {ListRule("bought", 30): {"home": 20}}


@pytest.mark.parametrize(
    ("placement", "says"),
    [
        (SIMILAR.replace("brand", "price"), "'placements.x.same.0'"),
        (SIMILAR.replace("brand", "colour"), "'same' names something twice"),
        ("answers: again, length: 5, leave_out: seen", "leaves nothing of 'answers: again'"),
        ("answers: looked_at, length: 5, leave_out: seen", "write 'nothing'"),
    ],
)
def test_a_placement_that_makes_no_sense_is_refused(placement: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        parse_placements(f"{HOME}  x: {{{placement}, why: x}}\n".encode(), "it")


def test_a_rule_has_a_short_name() -> None:
    rules = (ListRule("seen"), ListRule("nothing"), ListRule("bought", 30))
    assert [rule.name for rule in rules] == ["seen", "nothing", "bought_30"]


def test_the_setting_is_a_path_of_the_repository_or_an_absolute_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    inside = Settings(user_key_secret=SECRET, placements=Path("models/x.yaml"))
    assert inside.placements == REPOSITORY / "models/x.yaml"
    monkeypatch.setenv("CATWALK_USER_KEY_SECRET", SECRET)
    monkeypatch.setenv("CATWALK_PLACEMENTS", str(tmp_path / "mine.yaml"))
    assert load_settings().placements == tmp_path / "mine.yaml"
    with pytest.raises(SettingsError, match=r"mine\.yaml does not exist"):
        load_placements(load_settings().placements)


def test_the_old_setting_of_the_length_says_where_it_is_now(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CATWALK_USER_KEY_SECRET", SECRET)
    monkeypatch.setenv("CATWALK_RECOMMENDATIONS_PER_USER", "30")
    with pytest.raises(SettingsError, match=r"CATWALK_RECOMMENDATIONS_PER_USER.*`length` of each"):
        load_settings()
