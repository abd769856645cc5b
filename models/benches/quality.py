"""Compares models with published numbers and with each other, on public data.

`python -m models.benches.quality [FOLDER]` reads FOLDER/crossvalidated and FOLDER/online_retail,
and dunnhumby and retailrocket_sample where they are there; default ../shared/data. The last line is
JSON. Takes half an hour.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np

from infra.errors import CatwalkError
from infra.placements import ListRule, load_placements
from infra.places import REPOSITORY
from infra.records.evaluation import Score
from infra.settings import Settings
from models.benches.bench_settings import bench_settings
from models.benches.public_data import crossvalidated, data_folder
from models.benches.public_logs import (
    PublicShop,
    dunnhumby,
    online_retail_shop,
    retailrocket,
)
from models.candidates import Candidate, load_candidates, make
from models.data.holdout import Holdout, select
from models.data.run_tables import RunTables
from models.evaluation.measure import whole_ranking_auc
from models.evaluation.newcomers import answered, questions_of
from models.evaluation.score_run import Entrant, score_run
from models.recommender import Recipe, Recommender
from models.recommenders.capabilities import LearnsFromSteps
from models.recommenders.lightfm_hybrid import LightFMHybrid
from models.recommenders.todays_model import TodaysModel
from models.training.peak_memory import peak_memory_mb
from models.training.seed_noise import Learn, seed_noise

# LightFM's documentation, hybrid_crossvalidated: WARP, 30 components, 3 epochs, item_alpha 1e-6
PUBLISHED: dict[str, Any] = {
    "components": 30,
    "epochs": 3,
    "item_alpha": 1e-6,
    "max_sampled": 10,
    "weight_power": 0.0,
    "random_state": 1,
}
# `again` and what keeps few neighbours of an item leave 72,000 items to what sells, so their
# AUC says nothing; spark_als knows no item of the hold-out that nobody took before.
OF_NEIGHBOURS = ("also_bought", "also_viewed", "content", "ease", "session_neighbours")
NOT_RANKED = ("again", "blend", "blend_by_ranks", "spark_als", *OF_NEIGHBOURS)
BUY_AGAIN = REPOSITORY / "models/placements_buy_again.yaml"  # a shop that restocks
CF_AUC, HYBRID_AUC, WITHIN = 0.347, 0.703, 0.02


def published_models() -> dict[str, Recipe]:
    """Return the models of LightFM's documentation: identity alone, and (nearly) tags alone."""
    return {
        "collaborative": LightFMHybrid(**PUBLISHED, attribute_share=0.0),
        "hybrid": LightFMHybrid(**PUBLISHED, attribute_share=100.0),
    }


def bench_crossvalidated(tables: RunTables, settings: Settings) -> dict[str, float]:
    """Print the AUC of the published models, then of the candidates; return all by name."""
    holdout = select(tables, ListRule("seen"))
    print(f"crossvalidated: {len(holdout.users):,} users scored, {len(tables.items.items):,} items")
    models = published_models()
    models |= {candidate.name: make(candidate, settings) for candidate in _ranked_candidates()}
    return {name: _auc(name, recipe, holdout, tables) for name, recipe in models.items()}


def best_of_candidates(aucs: dict[str, float]) -> float:
    """Return the highest AUC that a candidate reaches as `candidates.yaml` has it.

    The published models do not count: they are not candidates.
    """
    return max(aucs[candidate.name] for candidate in _ranked_candidates())


def _ranked_candidates() -> list[Candidate]:
    candidates = load_candidates(every=True)
    return [candidate for candidate in candidates if candidate.name not in NOT_RANKED]


def bench_shop(name: str, shop: PublicShop, settings: Settings) -> dict[str, dict[str, Any]]:
    """Print all candidates side by side with intervals; return what the last line says.

    `spark_als` learns from the pairs alone, as every candidate that has no `fit_steps`.
    """
    candidates, placements = load_candidates(every=True), load_placements(BUY_AGAIN)
    tables = shop.tables
    holdout = select(tables, placements.home.rule)
    print(f"{name}: {len(holdout.users):,} users scored, {len(tables.items.items):,} items")
    entrants = (_trained(candidate, shop, holdout, settings) for candidate in candidates)
    rivals = frozenset(candidate.name for candidate in candidates if candidate.baseline)
    scores = score_run(tables, shop.later, entrants, placements, rivals, settings.seed).scores
    for score in scores:
        print(_line(score))
    return {score.name: _facts(score) for score in scores}


def bench_strangers(name: str, shop: PublicShop, settings: Settings) -> dict[str, dict[str, Any]]:
    """Print how often each candidate names the next item of people without a history."""
    questions, facts = questions_of(shop.tables, shop.later, settings.seed), {}
    print(f"{name}: {len(questions.persons):,} people without a history")
    for candidate in load_candidates(every=True):
        model = _learner(shop)(make(candidate, settings))
        hits = answered(model, questions, shop.tables)["next_item_hit_rate_at_10"]
        facts[candidate.name] = {"strangers_hit_at_10": round(float(hits.mean()), 4)}
        print(f"  {candidate.name:18} next item in ten {hits.mean():.4f}", flush=True)
    return facts


def _auc(name: str, recipe: Recipe, holdout: Holdout, tables: RunTables) -> float:
    started = time.perf_counter()
    model = recipe.fit(tables.train, tables.items)
    todays = TodaysModel(model, tables.items.items, tables.items.recommendable)
    value = float(whole_ranking_auc(todays, holdout, np.arange(len(holdout.users))).mean())
    print(f"  {name:28} AUC {value:.3f}   {time.perf_counter() - started:5.1f} s", flush=True)
    return value


def _trained(
    candidate: Candidate, shop: PublicShop, holdout: Holdout, settings: Settings
) -> Entrant:
    learn = _learner(shop)
    started = time.perf_counter()
    model = learn(make(candidate, settings))
    minutes = (time.perf_counter() - started) / 60
    noise = seed_noise(candidate, model, learn, holdout, settings)
    score = Score(
        name=candidate.name,
        role="candidate",
        parameters=candidate.parameters,
        metrics={"training_minutes": minutes, "peak_memory_mb": peak_memory_mb()},
        noise=noise.by_metric if noise else None,
    )
    return Entrant(score, model)


def _learner(shop: PublicShop) -> Learn:
    def learn(recipe: Recipe) -> Recommender:
        if isinstance(recipe, LearnsFromSteps):
            return recipe.fit_steps(shop.tables.train, shop.tables.items, shop.steps)
        return recipe.fit(shop.tables.train, shop.tables.items)

    return learn


def _line(score: Score) -> str:
    low, high = score.intervals["ndcg_at_10"]
    findings = [f"{duel.finding} ({duel.against})" for duel in score.comparisons]
    return (
        f"  {score.name:16} NDCG@10 {score.metrics['ndcg_at_10']:.4f} [{low:.4f}, {high:.4f}]"
        f"  coverage {score.metrics['user_coverage']:.3f}"
        f"  {score.metrics['training_minutes'] * 60:5.1f} s  {', '.join(findings)}"
    )


def _facts(score: Score) -> dict[str, Any]:
    against = {duel.against: duel for duel in score.comparisons}
    facts = {
        "ndcg_at_10": round(score.metrics["ndcg_at_10"], 4),
        "interval": [round(bound, 4) for bound in score.intervals["ndcg_at_10"]],
        "user_coverage": round(score.metrics["user_coverage"], 4),
        "strangers_hit_at_10": round(score.metrics.get("next_item_hit_rate_at_10", 0.0), 4),
        "seconds": round(score.metrics["training_minutes"] * 60, 1),
        "peak_memory_mb": round(score.metrics["peak_memory_mb"]),
    }
    if "popularity" in against:
        duel = against["popularity"]
        facts["above_popularity"] = [round(duel.low, 4), round(duel.high, 4)]
        facts["finding"] = duel.finding
    return facts


def main(arguments: list[str]) -> int:
    """Run both; exit with 1 if a published number is missed, or no model beats popularity."""
    try:
        folder = data_folder(arguments[0] if arguments else None)
        settings = bench_settings()
        aucs = bench_crossvalidated(crossvalidated(folder / "crossvalidated"), settings)
        retail = bench_shop("online_retail", online_retail_shop(folder / "online_retail"), settings)
        more = {
            name: bench(name, read(folder / name), settings)
            for name, read, bench in (
                ("dunnhumby", dunnhumby, bench_shop),
                ("retailrocket_sample", retailrocket, bench_strangers),
            )
            if (folder / name).is_dir()
        }
    except CatwalkError as error:
        print(error, file=sys.stderr)
        return 1
    facts = {
        "crossvalidated_cf_auc": round(aucs["collaborative"], 4),
        "crossvalidated_hybrid_auc": round(aucs["hybrid"], 4),
        "crossvalidated_best_auc": round(best_of_candidates(aucs), 4),
        "online_retail": retail,
        **more,
    }
    print(json.dumps(facts))
    off = (abs(aucs["collaborative"] - CF_AUC), abs(aucs["hybrid"] - HYBRID_AUC))
    return int(max(off) > WITHIN or not _beaten(retail))


def _beaten(retail: dict[str, dict[str, Any]]) -> bool:
    """Tell whether a personal model is better than popularity by an interval without zero."""
    return any(facts.get("above_popularity", [0.0])[0] > 0 for facts in retail.values())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
