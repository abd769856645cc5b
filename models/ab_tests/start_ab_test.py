"""Publishes the treatment as a version that is not live, and starts the A/B test.

From then on every server answers each arm by its version, until a person decides.
"""

from __future__ import annotations

from datetime import UTC, datetime

from infra.errors import InputError, PublishError
from infra.ledger import decision_log
from infra.ledger.ab_tests import KnownTests, add_ab_record, read_ab_tests
from infra.ledger.decision_log import Decision
from infra.ledger.live_pointer import live
from infra.ledger.run_records import RunRecords
from infra.records.ab_tests import BUCKETS, AbTest, Arm
from infra.records.release import LearntFrom, PublishRecord, VerdictRecord
from infra.schemas import INTERACTIONS, RECOMMENDATIONS
from infra.storage import Storage
from models.ab_tests.offline import offline_difference
from models.ab_tests.phases import first_phase
from models.ab_tests.plan_ab_test import PlanRecord, load_plan, require_new
from models.publishing.evidence import Built, Evidence, read_evidence
from models.publishing.publishable import gate_refusals, lists_refusals, version_refusals
from models.publishing.uploads import upload
from models.release.verdict import not_rejected


def start_ab_test(storage: Storage, arm: str, by: str, now: datetime | None = None) -> AbTest:
    """Start the test that was planned, once, however often it is called.

    Parameters
    ----------
    arm : str
        The folder of all that was made for the treatment.
    now : datetime, optional
        When it starts, if that is not the time of the machine.

    Raises
    ------
    InputError
        Its name or its traffic was taken meanwhile, or something else is live than it was planned
        with.
    PublishError
        The lists did not pass their gate, or the bundle was never seen to answer, or a person
        rolled back from the same model.
    """
    started = _started(read_ab_tests(storage), arm)
    if started is not None:
        decision_log.append(storage.reports, _entry(started))
        return started
    plan, verdict = load_plan(storage, arm), not_rejected(storage, arm)
    with storage.scratch() as scratch:
        built = _require_sound(read_evidence(storage, arm, scratch))
        _require_live(storage, plan)
        upload(storage, built.folder, built.version, built.manifest_sha256)
    release = _as_released(storage, verdict, built, now or datetime.now(UTC))
    RunRecords(storage, arm).save_published(release)
    _require_live(storage, plan)

    names = (plan.control.candidate, plan.wish.candidate)
    offline = offline_difference(storage, plan.run, *names)
    made = add_ab_record(
        storage,
        lambda known: _test(known, plan, release, by).model_copy(update={"offline": offline}),
    )
    decision_log.append(storage.reports, _entry(made))
    return made


def _entry(test: AbTest) -> Decision:
    traffic = (test.phase.layer[1] - test.phase.layer[0]) / BUCKETS
    return Decision(
        at=test.at,
        what="ab_test",
        about=test.name,
        outcome="started",
        by=test.by,
        why=test.reason or test.hypothesis,
        facts={
            "test": str(test.number),
            "control": test.control.version,
            "treatment": test.treatment.version,
            "placements": ", ".join(test.placements),
            "traffic": f"{traffic:.0%}, {test.phase.shares[1]:.0%} of it treatment",
        },
    )


def _started(known: KnownTests, arm: str) -> AbTest | None:
    return next((state.test for state in known.tests.values() if state.test.run == arm), None)


def _test(known: KnownTests, plan: PlanRecord, release: PublishRecord, by: str) -> AbTest:
    wish = plan.wish
    require_new(known, wish.name)
    return AbTest(
        at=release.at,
        by=by,
        run=release.run,
        name=wish.name,
        hypothesis=wish.hypothesis,
        placements=wish.placements,
        unit=wish.unit,
        control=plan.control,
        treatment=Arm(version=release.version, candidate=wish.candidate),
        learnt_from=plan.run,
        primary=wish.primary,
        guardrails=wish.guardrails,
        days=wish.days,
        mature_days=wish.mature_days,
        least_effect=wish.least_effect,
        planned_units=plan.units,
        phase=first_phase(known, wish.placements, wish.unit, wish.traffic, wish.treatment_share),
        reason=wish.reason,
    )


def _require_sound(evidence: Evidence) -> Built:
    """Return the bundle of the treatment; raise what is against showing it to anybody."""
    built = evidence.built
    refusals = [*evidence.unreadable, *gate_refusals(RECOMMENDATIONS.name, evidence)]
    if built is not None:
        refusals += [*lists_refusals(built, evidence), *version_refusals(built, evidence)]
    if refusals:
        raise refusals[0]
    if built is None:
        raise PublishError(f"{evidence.run} has no bundle.", "Run build_bundle first.")
    return built


def _require_live(storage: Storage, plan: PlanRecord) -> None:
    now = live(storage)
    if now is None or now.version != plan.control.version:
        raise InputError(
            f"{now.version if now else 'Nothing'} is live, and the test was planned against "
            f"{plan.control.version}.",
            "Send the form again: both arms must have learnt from the same data.",
        )


def _as_released(
    storage: Storage, verdict: VerdictRecord, built: Built, now: datetime
) -> PublishRecord:
    """Return the pointer that would put the treatment live; its number is given if it is shipped.

    It stands in the folder of the treatment, and moves nothing.
    """
    facts = storage.lake.manifest(INTERACTIONS.name, verdict.run)
    window = {name: str(facts.get(name)) for name in ("start", "cut", "as_of")}
    return PublishRecord(
        run=verdict.run,
        at=now,
        number=0,
        version=built.version,
        manifest_sha256=built.manifest_sha256,
        candidate=verdict.candidate,
        arrays_sha256=built.arrays_sha256,
        data=LearntFrom(**window, batches=verdict.batches),
        recipe=built.recipe,
        thresholds=verdict.thresholds,
    )
