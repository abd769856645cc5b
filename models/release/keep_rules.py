"""Keeps the rules of a run: the first step, so that no edit changes a run that has begun."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from infra.errors import SettingsError
from infra.ledger.run_rules import RuleFiles, files_of, keep, kept_rules, read_files
from infra.placements import parse_placements
from infra.records.run_rules import RunRules
from infra.storage import Storage
from models.candidates import ANCHOR, enabled, parse_candidates, require_sound
from models.evaluation.anchor import plan_anchor
from models.metrics.ranking import require_ranking
from models.release.thresholds import parse_thresholds

log = logging.getLogger(__name__)


def keep_rules(storage: Storage, run: str) -> list[str]:
    """Check and keep the files that people edit, and return the names of the models to train.

    Run again, it returns what was kept first, whatever the files say by then.

    Raises
    ------
    SettingsError
        A file cannot be read, a candidate cannot be made, or a rule makes no sense.
    StorageError
        What was kept cannot be understood.
    """
    rules = kept_rules(storage, run)
    if rules is None:
        rules = read_files(run, files_of(storage.settings))
        rules = keep(storage, _valid(storage, rules))
    for name, file in rules.files.items():
        log.info("%s of %s: sha256 %s.", name, run, file.sha256)
    _warn_of_edits(rules, files_of(storage.settings))
    return models_to_train(rules)


def models_to_train(rules: RunRules) -> list[str]:
    """Return the names of the models that a run trains: the candidates, in the order of the file.

    After them comes the anchor, unless a candidate has its recipe. `train` is mapped over them.
    """
    entries = parse_candidates(rules.candidates.content, rules.candidates.origin)
    anchor = [ANCHOR] if rules.anchor is not None and rules.anchor.scored_as == ANCHOR else []
    return [*(candidate.name for candidate in enabled(entries)), *anchor]


def _valid(storage: Storage, rules: RunRules) -> RunRules:
    """Return the rules with the anchor that they ask for; raise `SettingsError` if one is wrong."""
    entries = enabled(parse_candidates(rules.candidates.content, rules.candidates.origin))
    require_sound(entries, storage.settings)
    release = parse_thresholds(rules.release.content, rules.release.origin)
    placements = parse_placements(rules.placements.content, rules.placements.origin)
    require_ranking(placements.judged_by, rules.placements.origin)
    anchor = plan_anchor(storage, entries, datetime.now(UTC), release.doubt.anchor_days)
    return rules.model_copy(update={"anchor": anchor})


def _warn_of_edits(rules: RunRules, files: RuleFiles) -> None:
    """Tell whoever edits a file and clears a run that only a new run follows the edit."""
    try:
        now = read_files(rules.run, files).files
    except SettingsError as error:
        log.warning("%s This run goes on by the rules it began with.", error.fact)
        return
    for name, file in rules.files.items():
        if now[name].sha256 != file.sha256:
            log.warning("%s changed since the run began: start a new run to use it.", file.origin)
