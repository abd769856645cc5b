"""Ask a person about a retraining that may not go live by itself, and publish what is let through.

`retrain_recommender` starts this when a person has to decide, and goes on with its schedule: a
question never blocks it. People start it, by this form, to choose another candidate of a run.

| field | what to write |
|---|---|
| `run` | the retraining, as the page Reports names it |
| `candidate` | empty: ask about the one that its verdict names; or another one that it offers |
| `reason` | why another one; it is kept beside your name in the decision |

A later question, a choice and a release each replace the question that waits: its task is skipped,
and its form counts no longer. Of questions people are told at most once in 24 hours; the page
Reports names the one that waits on top.

| task is red | what it means | what to do |
|---|---|---|
| `choose_candidate` | the candidate is not offered, or you may not approve | its log says which |
| `refit_winner` | fitted on all data, the winner recommends other things | look at the last days |
| `approve_release` | a person rejected, or nobody answered in time | nothing; the report says why |
| `tell_approvers` | its worker was lost; nobody was told of the question, which waits | nothing |
| `publish` | the log says what is against it, or another publisher won | mend that, clear it |
| `follow_pointer` | MLflow failed; the new version **is live** | clear the task |
| `retire` | storage failed; the new version **is live**, old ones wait | clear the task |
| `replace_question` | Airflow or storage failed; an older question still waits | clear the task |

Nothing goes live without the answer or the choice of an approver. **Every task is safe to rerun.**
Owner: product.
"""

from airflow.sdk import Param, chain, dag
from airflow.sdk.exceptions import AirflowSkipException

from dags._release_steps import bundle_of_winner, end_question, make_live
from infra.airflow.choices import latest_runs, offered
from infra.airflow.defaults import (
    ASKS_FOR_A_USER,
    Counts,
    Owner,
    Run,
    Tag,
    among,
    form,
    step,
    task_defaults,
    triggered_by,
)
from infra.airflow.human_approval import HumanApproval
from infra.airflow.notify import ReportNotifier
from infra.airflow.tell_approvers import tell_approvers
from infra.settings import load_settings

SETTINGS = load_settings()
PRODUCT = Owner.PRODUCT
TOLD = [ReportNotifier()]
WISH = ["null", "string"]


@step(PRODUCT, task_id="choose_candidate")
def choose(run: Run) -> Counts:
    """Let the candidate of the form go on, if it names one."""
    from models.release.approve_release import replaced
    from models.release.choose_candidate import choose_candidate

    if by := replaced(run.storage, run.key, run.id, run.triggered):
        raise AirflowSkipException(by)
    candidate, reason = (str(form()[field] or "").strip() for field in ("candidate", "reason"))
    if not candidate:
        raise AirflowSkipException("The candidate of the verdict goes on.")
    return choose_candidate(run.storage, run.key, candidate, triggered_by(), reason).counts()


@dag(
    schedule=None,
    catchup=False,
    max_active_runs=16,  # one waits; those that replace it must not wait for it
    is_paused_upon_creation=False,
    default_args={**task_defaults(SETTINGS), "on_failure_callback": TOLD},
    tags=[Tag.RELEASE.value],
    doc_md=__doc__,
    params={
        "run": Param(
            type="string",
            minLength=1,
            title="Run",
            description=f"The retraining, as the page Reports names it. {ASKS_FOR_A_USER}",
            **among(offered(latest_runs)),
        ),
        "candidate": Param(
            None,
            type=WISH,
            title="Candidate",
            description="Empty: ask about the one that the verdict names. Another name chooses it.",
        ),
        "reason": Param(
            None,
            type=WISH,
            title="Reason",
            description="Why another candidate. Leave it empty where you name none.",
        ),
    },
)
def release_candidate() -> None:
    """Wire one release by a person: choose, build anew what was chosen, ask, publish."""
    chosen, (winner, served) = choose(), bundle_of_winner()
    replaced = end_question(trigger_rule="none_failed")
    approval = HumanApproval(
        **{"task_id": "approve_release", "owner": PRODUCT.value, "trigger_rule": "none_failed"},
        about="models.release.approve_release",
        approvers=SETTINGS.approvers,
        hours=SETTINGS.approval_hours,
    )
    tell = ReportNotifier("waits for a person", task="approve_release", over=False, daily=True)
    told = tell_approvers("approve_release", tell, owner=PRODUCT.value, trigger_rule="none_failed")
    published = make_live()
    chain(chosen, winner)
    chain(served, replaced, approval, published)  # what cannot be built replaces no question
    chain(replaced, told)


release_candidate()
