"""The file that product owns: what it may say, and what is refused before anything is judged."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.errors import SettingsError
from infra.ledger.run_rules import RELEASE
from infra.rules import read_rules
from models.metrics.ranking import RANKING
from models.release.thresholds import Doubt, Percentage, ReleaseRules, parse_thresholds

BAD_RULES = {
    "": "holds no keys",
    "{}": "no thresholds",
    "- a": "holds no keys",
    "when_in_doubt: {cannot_tell: review}": "no thresholds",
    "when_in_doubt: {cannot_tell: maybe}\nndcg_at_10: {min: 1, why: w}": "cannot_tell",
    "when_in_doubt:\nndcg_at_10: {min: 1, why: w}": "when_in_doubt",
    "ndcg: {min: 1, why: w}": "no metric 'ndcg', did you mean ndcg_at_10",
    "nDCG@10: {min: 1, why: w}": "no metric 'nDCG@10', did you mean ndcg_at_10",
    "when_in_dubt: {}": "no metric 'when_in_dubt', did you mean when_in_doubt",
    "when_in_doubt: {least_user: 5}\nauc: {min: 0, why: w}": "'least_user', did you mean least_",
    "ndcg_at_10: {max_drop: 5%, why: w}": r"'max_drop', did you mean max_drop_vs_champion\?.*1: 5%",
    "ndcg_at_10: {slices: {new users: {mn: 1}}, why: w}": r"new users\.mn', did you mean min\?",
    "user_coverage: {min: 99.99, why: w}": "'min' is 99.99, and a share.*For 99.99 of.*99.99%",
    "user_coverage: {min: 120%, why: w}": "'min' is 1.2, and a share lies between 0 and 1",
    "user_coverage: {min: -1%, why: w}": "key 'min': .*valid number",
    "user_coverage: {min: '99,9%', why: w}": "key 'min': .*valid number",
    "user_coverage: {min: '%', why: w}": "key 'min': .*valid number",
    "ndcg_at_10: {min: 5%, why: w}": "'min' is 5%, and ndcg_at_10 is no share",
    "training_minutes: {max: 5%, why: w}": "'max' is 5%, and training_minutes is no share",
    "ndcg_at_10: {slices: {new users: {min: 5%}}, why: w}": "min.*valid number.*5%",
    "ndcg_at_10: {min: 1}": "'why' is missing",
    "ndcg_at_10: {min: 1, why: ''}": "why",
    "ndcg_at_10: {why: w}": "one of min, max",
    "ndcg_at_10: {mim: 1, why: w}": "unknown key 'mim', did you mean min",
    "ndcg_at_10: {min: .nan, why: w}": "finite",
    "ndcg_at_10: {min: 2, max: 1, why: w}": "above max",
    "ndcg_at_10: {min: 1, if_missed: release, why: w}": "if_missed",
    "ndcg_at_10: {max_drop_vs_champion: -1%, why: w}": "greater than or equal",
    "ndcg_at_10: {max_drop_vs_champion: .inf, why: w}": "may be a part or a number",
    "ndcg_at_10: {max_drop_vs_champion: 0.02, why: w}": "write 2%",
    "ndcg_at_10: {max_drop_vs_champion: 100%, why: w}": "allows everything",
    "when_in_doubt: {least_users: 1}\nndcg_at_10: {min: 1, why: w}": "least_users",
    "when_in_doubt: {anchor_days: 0}\nndcg_at_10: {min: 1, why: w}": "anchor_days",
    "ndcg_at_10: {max_drop_vs_champion: x%, why: w}": "valid number",
    "when_in_doubt: {suspicious_improvement: 0.5}": "suspicious_improvement.*write 50%.*line 1",
    "ndcg_at_10: {max_drop_vs_champion: 0.2, why: w}": "max_drop_vs_champion.*write 20%",
    "ndcg_at_10: {min: no, beats: popularity, why: w}": r"key 'min': .*\(line 1: no\)",
    "user_coverage: {min: yes, why: w}": r"key 'min': .*valid number.*\(line 1: yes\)",
    "ndcg_at_10:\n  min: # soon\n  beats: popularity": r"line 2: 'ndcg_at_10\.min' is empty",
    "ndcg_at_10: {min: 0,02, why: w}": r"'ndcg_at_10\.02' is empty.*a point and no comma",
    "training_minutes: {max: 1:30, why: w}": r"key 'max': .*valid number.*\(line 1: 1:30\)",
    "ndcg_at_10: {min: 2026-11-28, why: w}": r"key 'min': .*\(line 1: 2026-11-28\)",
    "ndcg_at_10:\n\u00a0\u00a0min: 0.02\n\u00a0\u00a0why: w": "line 2: the key 'min' has a no-",
    "ndcg_at_10: {min: true, why: w}": r"true is no number \(line 1: True\)",
    "ndcg_at_10: {max_drop_vs_champion: much, why: w}": "a percentage like 10%",
    "ndcg_at_10: {max_drop_vs_champion: true, why: w}": "a percentage like 10%",
    "ndcg_at_10: {min: 1, why: w}\nndcg_at_10: {min: 0, why: w}": "occurs twice",
    "ndcg_at_10: {slices: {new users: {}}, why: w}": "one of min, max",
    "ndcg_at_10: {slices: {new users: {min: 2, max: 1}}, why: w}": "above max",
    "user_coverage: {slices: {new users: {min: 1}}, why: w}": "not measured by slice",
    "training_minutes: {beats: popularity, why: w}": "Use max",
    "training_minutes: {max_drop_vs_champion: 5%, why: w}": "Use max",
    "ndcg_at_10: [": "(YAML|line 1)",
}


def thresholds_of(file: Path) -> ReleaseRules:
    return parse_thresholds(read_rules(file), str(file))


@pytest.mark.parametrize("text", BAD_RULES)
def test_rules_that_cannot_be_meant(text: str, tmp_path: Path) -> None:
    file = tmp_path / "release.yaml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=f"release.yaml.*{BAD_RULES[text]}"):
        thresholds_of(file)


def test_numbers_are_read_as_people_mean_them() -> None:
    content = b"""
ndcg_at_10: {min: 1e-2, max_drop_vs_champion: 2.5%, why: w}
training_minutes: {max: 010, why: w}
auc: {min: "0.6", max_drop_vs_champion: "5 %", why: w}
user_coverage: {min: 1.0, why: no}
"""
    rules = parse_thresholds(content, "a file").thresholds
    assert (rules["ndcg_at_10"].min, str(rules["ndcg_at_10"].max_drop_vs_champion)) == (
        0.01,
        "2.5%",
    )
    assert rules["training_minutes"].max == 10, "not 8"
    assert (rules["auc"].min, str(rules["auc"].max_drop_vs_champion)) == (0.6, "5%")
    assert (rules["user_coverage"].min, rules["user_coverage"].why) == (1.0, "no")


@pytest.mark.parametrize("text", ["99.99%", "99.99 %", "'99.99%'", "0.9999", "9999e-4"])
def test_a_share_is_written_either_way(text: str) -> None:
    """Exactly: 99.99 / 100 is 0.9998999999999999."""
    content = f"user_coverage: {{min: {text}, why: w}}\nfallback_share: {{max: 1%, why: w}}"
    rules = parse_thresholds(content.encode(), "a file").thresholds
    assert (rules["user_coverage"].min, rules["fallback_share"].max) == (0.9999, 0.01)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="does not exist"):
        thresholds_of(tmp_path / "release.yaml")


def test_our_own_rules_are_honest() -> None:
    rules = thresholds_of(RELEASE)
    assert rules.thresholds["ndcg_at_10"].beats == "popularity"
    assert rules.thresholds["ndcg_at_10"].if_missed == "reject"
    assert all(threshold.why for threshold in rules.thresholds.values())


def test_what_is_left_out_is_strict() -> None:
    rules = parse_thresholds(b"ndcg_at_10: {min: 0.1, why: w}", "a file")
    assert rules.thresholds["ndcg_at_10"].if_missed == "reject"
    doubt = rules.doubt
    assert (doubt.cannot_tell, str(doubt.suspicious_improvement)) == ("review", "50%")
    assert (doubt.least_users, doubt.anchor_days) == (100, 30)


def test_the_shipped_rules_fit_a_shop_that_nobody_has_seen() -> None:
    """Real logs lie between 0.002 and 0.2: no number of NDCG is good or bad by itself."""
    rules = thresholds_of(RELEASE)
    ranking = [limit for metric, limit in rules.thresholds.items() if metric in RANKING]
    assert ranking and all(limit.min is None and limit.max is None for limit in ranking)
    assert rules.doubt == Doubt()


def test_new_customers_may_have_a_limit_of_their_own() -> None:
    text = "next_item_ndcg_at_10: {slices: {new customers: {min: 0.05}}, why: w}"
    rules = parse_thresholds(text.encode(), "release.yaml")
    assert rules.thresholds["next_item_ndcg_at_10"].slices["new customers"].min == 0.05


def test_a_percentage_is_a_part_of_one() -> None:
    drop = Percentage.model_validate("12.5%")
    assert (drop.share, str(drop)) == (0.125, "12.5%")
