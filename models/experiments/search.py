"""Searches ranges of parameters, on the days before the cut: the hold-out is for the comparison.

Source: J. Bergstra et al., Algorithms for Hyper-Parameter Optimization, 2011; T. Akiba et al.,
Optuna, 2019. The same seed tries the same points.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from infra.errors import InputError, SettingsError
from infra.ledger.run_rules import placements_of
from infra.places import PLAN
from infra.records.evaluation import Tried
from infra.storage import Storage
from models.candidates import Candidate, candidate_named, make
from models.data.holdout import Holdout, select
from models.data.run_steps import read_steps
from models.experiments.earlier_tables import earlier
from models.experiments.plan import Plan, key_of, numbered, read_plan, read_sample
from models.experiments.sample import in_sample
from models.experiments.space import Point, has_range, suggested
from models.metrics.ranking import RANKING, K, marked
from models.recommender import Recommender
from models.recommenders.capabilities import LearnsFromSteps
from models.recommenders.todays_model import TodaysModel
from models.training.train import Lesson, array_lesson, steps_lesson

KEPT = 3  # of the points that were tried: these are trained on all and scored on the hold-out
log = logging.getLogger(__name__)


def search_parameters(storage: Storage, run: str) -> list[str]:
    """Try `budget` points of the space, add the best three to the plan, and return all variants.

    Without a range the plan is whole, and nothing is tried. A rerun tries the same again.

    Raises
    ------
    InputError
        The days before the cut have nobody to score on, or no point could be trained.
    """
    chosen = read_plan(storage, run)
    if has_range(chosen.space):
        chosen = _searched(storage, chosen)
        content = chosen.model_dump_json(by_alias=True).encode()
        storage.lake.store.write(key_of(chosen.experiment, PLAN), content)
    return [variant.name for variant in chosen.variants]


def _searched(storage: Storage, chosen: Plan) -> Plan:
    asis = candidate_named(chosen.candidate, chosen.variants)
    lesson, holdout, metric = _earlier_lesson(storage, chosen, asis)

    def quality(point: Point) -> float:
        model = lesson.learn(make(_with(asis, point), storage.settings))
        return score(model, holdout, metric)

    tried = tried_points(chosen, quality, make(asis, storage.settings), storage.settings.seed)
    best: list[Point] = []
    for each in sorted((each for each in tried if each.value is not None), key=_worst_last):
        point = {**asis.parameters, **each.parameters}
        if point not in [asis.parameters, *best] and len(best) < KEPT:
            best.append(point)
    if all(each.value is None for each in tried):
        raise InputError(f"None of {len(tried)} points could be trained.", "Narrow the ranges.")
    known = tuple(variant for variant in chosen.variants if variant.name not in _names(asis))
    return chosen.model_copy(
        update={"variants": (*known, *numbered(asis, best)), "tried": tuple(tried)}
    )


def _names(asis: Candidate) -> list[str]:
    return [variant.name for variant in numbered(asis, [{}] * KEPT)]


def _worst_last(tried: Tried) -> float:
    return -(tried.value or 0.0)


def _with(candidate: Candidate, point: Point) -> Candidate:
    return candidate.model_copy(update={"parameters": {**candidate.parameters, **point}})


def _earlier_lesson(storage: Storage, chosen: Plan, asis: Candidate) -> tuple[Lesson, Holdout, str]:
    """Return what a point learns from, what it is scored on, and by which metric."""
    tables, _ = read_sample(storage, chosen)
    placements = placements_of(storage, chosen.run)
    steps = read_steps(storage, chosen.run, tables.items.items, "train")
    steps = steps.of_persons(in_sample(steps.persons, chosen.share))
    moved, past = earlier(tables, steps, placements.success, storage.settings.half_life_days)
    learns_steps = isinstance(make(asis, storage.settings), LearnsFromSteps)
    lesson = steps_lesson(moved, past) if learns_steps else array_lesson(moved)
    metric = placements.judged_by if placements.judged_by in RANKING else "ndcg_at_10"
    return lesson, select(moved, placements.home.rule), metric


def score(model: Recommender, holdout: Holdout, metric: str) -> float:
    """Return the mean of a ranking metric over the users of a hold-out."""
    todays = TodaysModel(model, model.items, model.recommendable)
    lists = todays.recommend(holdout.users, K, exclude_seen=False, seen=holdout.left_out)
    hits = marked(holdout.wanted, lists.items)
    return float(RANKING[metric](hits, holdout.relevant).mean())


def tried_points(
    chosen: Plan, quality: Callable[[Point], float], asis: Any, seed: int
) -> list[Tried]:
    """Let Optuna choose point after point; the first is the candidate as it is, if it lies inside.

    A point that cannot be trained has no value, and the search goes on.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    own = {name: getattr(asis, name) for name in chosen.space}
    if all(_inside(own[name], wish) for name, wish in chosen.space.items()):
        study.enqueue_trial(own)
    tried: list[Tried] = []
    for number in range(1, chosen.budget + 1):
        trial = study.ask()
        point = suggested(chosen.space, trial)
        try:
            value = quality(point)
            study.tell(trial, value)
        except (InputError, SettingsError) as error:
            log.warning("%s with %s", error.fact, point)
            value = None
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        tried.append(Tried(parameters=point, value=value))
        log.info("point %d of %d: %s with %s", number, chosen.budget, value, point)
    return tried


def _inside(value: Any, wish: Any) -> bool:
    if hasattr(wish, "low"):
        return isinstance(value, int | float) and wish.low <= value <= wish.high
    return value in wish if isinstance(wish, list) else bool(value == wish)
