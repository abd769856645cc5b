"""Try a candidate with other parameters, on a share of the users. It can never publish.

Reads the tables of the latest run whose items and interactions passed their gates, trains the
candidate as `models/candidates.yaml` says and once for every combination asked for, and
scores all of them beside popularity and the recipe of what is live, on the same users, as a
retraining would. Of ranges, the best three points take part.

| field | what to write |
|---|---|
| `candidate` | a name of `models/candidates.yaml`, also one that is not enabled |
| `parameters` | `{"components": 64}`, or lists to try each: `{"components": [16, 64]}` |
|  | ranges are searched: `{"components": {"from": 16, "to": 128, "scale": "log"}}` |
| `budget` | how many points of the ranges to try, on the days before the cut |
| `share` | the part of the users to learn from and to score on: the same ones every time |
| `run` | whose tables; empty for the latest |

A wrong name or value is refused by `plan_experiment`, before anything is trained. The page with all
variants side by side is a file of each MLflow run of the experiment `experiment`, and lies in the
reports under `experiments/`. **Every task is safe to rerun.** Owner: data-science.
"""

from airflow.sdk import Param, chain

from infra.airflow.choices import latest_runs, offered
from infra.airflow.defaults import (
    ASKS_FOR_A_USER,
    Counts,
    Owner,
    Run,
    Tag,
    among,
    dag_by_hand,
    form,
    step,
)
from models.candidates import load_candidates

SCIENCE = Owner.DATA_SCIENCE
NAMES = [candidate.name for candidate in load_candidates(every=True)]
RELEASABLE = [candidate.name for candidate in load_candidates() if not candidate.baseline]


@dag_by_hand(
    __doc__,
    Tag.TRAINING,
    Tag.EXPERIMENT,
    candidate=Param(
        RELEASABLE[-1],
        enum=NAMES,
        title="Candidate",
        description=f"A name of models/candidates.yaml. {ASKS_FOR_A_USER}",
    ),
    parameters=Param(
        {},
        type="object",
        title="Parameters",
        description='What to try in place of the file: {"components": 64}. A list tries each of '
        'its values: {"components": [16, 64]}. A range is searched on the days before '
        "the cut, and its best three points are tried: "
        '{"components": {"from": 16, "to": 128, "scale": "log"}}.',
    ),
    budget=Param(
        20,
        type="integer",
        minimum=1,
        maximum=500,
        title="Budget of a search",
        description="How many points of the ranges to train. Without a range nothing is searched.",
    ),
    share=Param(
        0.5,
        type="number",
        exclusiveMinimum=0,
        maximum=1,
        title="Share of the users",
        description="The part to learn from and to score on: 0.5 is half of them, always the same.",
    ),
    run=Param(
        None,
        type=["null", "string"],
        title="Tables of run",
        description="Whose tables to learn from. Empty: the latest run that passed its gates.",
        **among(offered(latest_runs)),
    ),
)
def experiment() -> None:
    """Wire one experiment: plan, search the ranges, try each variant, compare."""

    @step(SCIENCE)
    def plan_experiment(run: Run) -> list[str]:
        from models.experiments.plan import plan_experiment

        return plan_experiment(run.storage, run.key, form())

    @step(SCIENCE)
    def search_parameters(run: Run) -> list[str]:
        from models.experiments.search import search_parameters

        return search_parameters(run.storage, run.key)

    @step(SCIENCE, map_index_template="{{ variant }}")
    def try_variant(run: Run, variant: str) -> Counts:
        from models.experiments.experiment import try_variant

        return try_variant(run.storage, run.key, variant)

    @step(SCIENCE)
    def compare_variants(run: Run) -> Counts:
        from models.experiments.experiment import compare_variants

        return compare_variants(run.storage, run.key)

    variants = search_parameters()
    chain(plan_experiment(), variants)
    chain(try_variant.expand(variant=variants), compare_variants())


experiment()
