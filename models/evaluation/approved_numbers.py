"""Finds what a person has seen already: each candidate in the run whose release was approved last.

A candidate that cannot go live may be far better than what is live, at every run: a plain list of
what customers take again knows a third of them, and is right about those. A person looks at such
a jump once, and is asked again only where it grows.
"""

from __future__ import annotations

from collections.abc import Sequence

from infra.errors import CatwalkError
from infra.ledger.live_pointer import not_rolled_back
from infra.records.evaluation import Score
from infra.storage import Storage
from models.evaluation.noise_history import candidates_scored
from models.metrics.ranking import RANKING


def approved_scores(storage: Storage) -> tuple[Score, ...]:
    """Return the candidates of the run whose release a person approved last.

    A release that somebody rolled back from does not count. What cannot be read was seen by nobody:
    a person is asked once more.
    """
    try:
        approved = next(
            (
                pointer
                for pointer in not_rolled_back(storage)
                if pointer.is_release and pointer.decided is not None
            ),
            None,
        )
    except CatwalkError:
        return ()
    return candidates_scored(storage, approved.run) if approved else ()


def with_approved_numbers(score: Score, approved: Sequence[Score]) -> Score:
    """Add to a candidate what the same one reached then: same name, class and parameters."""
    alike = (
        earlier
        for earlier in approved
        if (earlier.name, earlier.recipe) == (score.name, score.recipe)
    )
    seen = next(alike, None)
    if seen is None or score.role != "candidate":
        return score
    numbers = {metric: value for metric, value in seen.metrics.items() if metric in RANKING}
    return score.model_copy(update={"approved": numbers})
