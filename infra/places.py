"""Every folder and file name of a shop: what lies where in landing, lake, published, reports, home.

All other code takes the names from here. `PLACES` says what each folder holds, and whether user
keys or ids may be in it: erasing a person needs just that list. The names of tables are in
`infra/schemas.py`; each is a folder of the lake.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from infra.mart_schemas import (
    CUSTOMERS_DAILY,
    EXPOSURES,
    KPI_DAILY,
    PERSON_DAYS,
    SALES,
    SERVED,
    TEST_UNITS,
)
from infra.schemas import (
    CATALOGUE,
    EVENTS,
    HISTORY,
    INTERACTIONS,
    ITEMS,
    QUARANTINE,
    RECOMMENDATIONS,
    STEPS,
)

REPOSITORY = Path(__file__).resolve().parents[1]

# below the landing folder
LANDED_EVENTS, LANDED_ITEMS, LANDED_AGAIN = "events", "items", "replayed"
LANDED_SERVED, LANDED_STOCK = "served", "stock"
# in the lake, beside the tables
CHECKPOINTS = "checkpoints"
DECISIONS = "decisions"
DECISIONS_OF_PEOPLE = "decisions/events"
DECISIONS_OF_GATE = "decisions/events_by_gate"  # apart, so that it never overwrites a person's word
PROFILES = "profiles/events"  # a file per batch, as earlier Catwalks wrote them
INDEX = "index"
REPLAYS = "replays"
CANDIDATES, REFITS, BUNDLES, EXPERIMENTS = "candidates", "refits", "bundles", "experiments"
EVALUATIONS = "evaluations"
MARTS = "marts"
SCRATCH = "scratch"  # also of the home
# in the published store
LIVE, VERSIONS, RETIRED = "live", "versions", "retired"
CLAIMS = "claims"  # of earlier Catwalks; the last claim of a version says whether it was given up
OVERRIDES, STOCK, TOKENS = "overrides", "stock", "tokens"
AB_TESTS = "ab_tests"  # also in the reports: the verdicts
# in lake, published store and reports
BELONGS_TO = "belongs_to"
# in the reports, beside the folders of runs and of experiments
DECISION_LOG = "decisions"
QUESTIONS, LOOKS = "questions", "looks"
ALARMS = "alarms"
GATES = "gates"
# in the home, beside the stores
MLFLOW, AIRFLOW, SERVING_HOME = "mlflow", "airflow", "serving"
UNPACKED, SPOOL = f"{SERVING_HOME}/versions", f"{SERVING_HOME}/spool"
KNOWN, WORKERS = f"{SERVING_HOME}/known", f"{SERVING_HOME}/metrics"

# files of a run in the reports
RULES = "rules.json"  # what people had written when the run began
INGEST, EVALUATION, VERDICT = "ingest.json", "evaluation.json", "verdict.json"
APPROVAL, REFIT, SERVING = "approval.json", "refit.json", "serving.json"
PUBLISHED, SUMMARY, PAGE = "published.json", "summary.json", "index.html"
AB_TEST_PLAN = "ab_test_plan.json"  # of the treatment of an A/B test
TRACKED = "mlflow.json"  # which runs MLflow has of it
# files of an experiment, in the lake and in the reports
PLAN, COMPARISON = "plan.json", "comparison.json"

Store = Literal["landing", "lake", "published", "reports", "home"]


@dataclass(frozen=True)
class Place:
    """A folder of one store: its name, what lies there, and what of users may be in it."""

    store: Store
    folder: str
    holds: str
    of_users: Literal["", "keys", "ids"] = ""


PLACES = (
    Place("landing", LANDED_EVENTS, "the files of events that the shop delivers", "ids"),
    Place("landing", LANDED_ITEMS, "the files of its catalogue"),
    Place("landing", LANDED_AGAIN, "quarantined rows, mended or not, to be read again", "ids"),
    Place("landing", LANDED_SERVED, "what servers answered, line by line", "keys"),
    Place("landing", LANDED_STOCK, "the files of the stock feed, removed once they are taken"),
    Place("lake", EVENTS.name, "clean events, a folder per batch", "keys"),
    Place("lake", QUARANTINE.name, "rows that are not events, as they came", "ids"),
    Place("lake", ITEMS.name, "items as known at the cut of a run"),
    Place("lake", CATALOGUE.name, "items as known at the end of the window of a run"),
    Place("lake", INTERACTIONS.name, "weighted pairs of users and items, split at the cut", "keys"),
    Place("lake", HISTORY.name, "weighted pairs of the whole window", "keys"),
    Place("lake", STEPS.name, "every event of the window, in order of persons and visits", "keys"),
    Place("lake", RECOMMENDATIONS.name, "the list of every user", "keys"),
    Place("lake", SERVED.name, "what servers answered, a folder per batch", "keys"),
    Place("lake", EXPOSURES.name, "every item that was answered, and what followed", "keys"),
    Place("lake", KPI_DAILY.name, "what lists are worth, by day: counts"),
    Place("lake", SALES.name, "purchases and returns, by day", "keys"),
    Place("lake", PERSON_DAYS.name, "who came when, by day", "keys"),
    Place("lake", CUSTOMERS_DAILY.name, "who comes again, by day: counts"),
    Place("lake", TEST_UNITS.name, "what the units of A/B tests did", "keys"),
    Place("lake", MARTS, "which build of each day and each test counts: numbered"),
    Place("lake", CHECKPOINTS, "which files were read, as earlier Catwalks kept it"),
    Place("lake", DECISIONS_OF_PEOPLE, "what a person decided on a batch"),
    Place("lake", DECISIONS_OF_GATE, "what the events gate decided on a batch"),
    Place("lake", PROFILES, "how the events of a batch are spread, of earlier Catwalks: counts"),
    Place("lake", INDEX, "copies of manifests, decisions and counts of all batches, in few files"),
    Place("lake", REPLAYS, "which rows of the quarantine were landed again"),
    Place("lake", CANDIDATES, "the trained candidates of a run", "keys"),
    Place("lake", EVALUATIONS, "what each model of a run is worth to each customer, without keys"),
    Place("lake", REFITS, "the winner of a run, fitted on all data", "keys"),
    Place("lake", BUNDLES, "what a run would publish", "keys"),
    Place("lake", EXPERIMENTS, "the plan and the models of an experiment", "keys"),
    Place("lake", SCRATCH, "what is deleted when its task ends", "ids"),
    Place("lake", BELONGS_TO, "whose it is, and the fingerprint of the secret of its keys"),
    Place("published", LIVE, "the pointers to what is live: numbered, written once"),
    Place("published", VERSIONS, "bundles that went live", "keys"),
    Place("published", RETIRED, "marks on versions that the next release deletes"),
    Place("published", CLAIMS, "what earlier Catwalks kept instead of those marks"),
    Place("published", OVERRIDES, "what curators pin, boost and block: numbered, written once"),
    Place("published", STOCK, "which items are in stock, as the stock feed says: numbered"),
    Place("published", AB_TESTS, "the A/B tests, their phases and what was decided: numbered"),
    Place("published", TOKENS, "who may ask the server, by hashes of tokens: numbered"),
    Place("published", BELONGS_TO, "whose it is, and the fingerprint of the secret of its keys"),
    Place("reports", "run=NAME", "the records, the page and the summary of a run", "keys"),
    Place("reports", "arm=NAME", "the plan and the records of the treatment of an A/B test"),
    Place("reports", DECISION_LOG, "the decision log: numbered, written once"),
    Place("reports", AB_TESTS, "the verdict of each day on each A/B test"),
    Place("reports", ALARMS, "of which releases people were told that a KPI fell"),
    Place("reports", QUESTIONS, "which run asked a person when: numbered, written once"),
    Place("reports", LOOKS, "who looked at the lists of a person, and when: numbered", "keys"),
    Place("reports", EXPERIMENTS, "the comparison and the page of an experiment"),
    Place("reports", BELONGS_TO, "whose it is, and the fingerprint of the secret of its keys"),
    Place("home", REPLAYS, "quarantined rows, exported for a person to edit", "ids"),
    Place("home", SCRATCH, "what is deleted when its task ends", "ids"),
    Place("home", UNPACKED, "what servers of this machine answer from", "keys"),
    Place("home", SPOOL, "events and answers that are not landed yet", "ids"),
    Place("home", KNOWN, "who may ask what, as servers knew it last"),
    Place("home", WORKERS, "counts of the workers of a server"),
    Place("home", MLFLOW, "MLflow's database and files: scores, parameters, pages", "keys"),
    Place("home", AIRFLOW, "Airflow's database, logs and passwords"),
)


def trained_of(run: str) -> str:
    """Return the folder of the lake that holds the trained candidates of a run."""
    return f"{CANDIDATES}/{run}"


def refits_of(run: str) -> str:
    """Return the folder of the lake that holds the winner of a run, fitted on all data."""
    return f"{REFITS}/{run}"


def values_key(run: str) -> str:
    """Return the file of the lake with what every model is worth to every customer of a run."""
    return f"{EVALUATIONS}/{run}/values.npz"


def costs_key(place: str, name: str) -> str:
    """Return the file with the time and memory of a training, beside its model's folder."""
    return f"{place}/{name}.costs.json"


def bundle_key(run: str) -> str:
    """Return the folder of a run's bundle in the lake."""
    return f"{BUNDLES}/{run}"


def version_key(version: str) -> str:
    """Return the folder of a version in the published store."""
    return f"{VERSIONS}/{version}"


def gate_file(gate: str) -> str:
    """Return the file of a gate's record, below the folder of its run in the reports."""
    return f"{GATES}/{gate}.json"
