"""What the form of an A/B test says, checked before anything is trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field, ValidationError, model_validator

from infra.errors import InputError
from infra.records.ab_tests import Guardrail, Metric, Unit
from infra.records.serving import Name, Words
from infra.rules import Strict, describe

_PERCENT = 100.0


class Wish(Strict):
    """A test as a person wants it; see `infra.records.ab_tests.AbTest` for what it becomes.

    Attributes
    ----------
    candidate : str
        Which candidate of the run that made the live version is the treatment.
    traffic, treatment_share : float
        The share of all units that are in the test, and that of these which treatment answers.
    units_a_day, mean : float or None
        The traffic of these placements and the primary metric of today, as the person knows them;
        None to take what was measured.
    reason : str
        Why it shall start although it cannot tell so small an effect; "" if it shall not.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{2,39}$")
    hypothesis: Words
    placements: tuple[Name, ...] = Field(min_length=1)
    unit: Unit
    candidate: Name
    traffic: float = Field(gt=0, le=1)
    treatment_share: float = Field(gt=0, lt=1)
    primary: Metric
    guardrails: tuple[Guardrail, ...] = ()
    days: int = Field(ge=1, le=90)
    mature_days: int = Field(ge=1, le=28)
    least_effect: float = Field(gt=0, lt=10)
    units_a_day: float | None = Field(None, gt=0)
    mean: float | None = Field(None, gt=0, lt=1)
    reason: str = ""

    @model_validator(mode="after")
    def _says_each_once(self) -> Self:
        for what, names in (
            ("placement", self.placements),
            ("guardrail", [guardrail.metric for guardrail in self.guardrails]),
        ):
            if len(set(names)) != len(names):
                raise ValueError(f"a {what} is named twice")
        if (self.units_a_day is None) != (self.mean is None):
            raise ValueError("say both, customers a day and the metric today, or neither")
        if any(guardrail.metric == self.primary for guardrail in self.guardrails):
            raise ValueError("the primary metric is no guardrail of its own")
        return self


def wish_of(form: Mapping[str, Any]) -> Wish:
    """Read the form, which asks for percentages where a record has shares.

    Raises
    ------
    InputError
        A field cannot be used; the error names it.
    """
    said = {name: form[name] for name in Wish.model_fields if form.get(name) not in (None, "")}
    for name in ("traffic", "treatment_share", "least_effect", "mean"):
        if name in said or name != "mean":
            said[name] = _share(name, form.get(name))
    margins = dict(form.get("guardrails") or {})
    said["guardrails"] = [
        {"metric": metric, "margin": _share(f"guardrails, {metric}", margin)}
        for metric, margin in margins.items()
    ]
    said["name"], said["reason"] = (str(form.get(key) or "").strip() for key in ("name", "reason"))
    try:
        return Wish.model_validate(said)
    except ValidationError as error:
        raise InputError(f"The form cannot be used: {describe(error)}", "Send it again.") from error


def _share(name: str, percent: object) -> float:
    if isinstance(percent, bool) or not isinstance(percent, int | float):
        raise InputError(f"The field {name} is no number of percent.", "Write a number such as 5.")
    return percent / _PERCENT
