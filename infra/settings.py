"""All choices an installation makes, in one class: environment variables with prefix CATWALK_."""

from __future__ import annotations

import os
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from infra.errors import SettingsError
from infra.places import AIRFLOW, MLFLOW, REPOSITORY
from infra.rules import describe
from infra.setting_forms import cron_line, mail_addresses, web_address, zone_name

PREFIX = "CATWALK_"
MOVED = {
    "CATWALK_RECOMMENDATIONS_PER_USER": "The length of a list is `length` of each placement in "
    "models/placements.yaml (CATWALK_PLACEMENTS)."
}


class Settings(BaseSettings):
    """What this installation is; see docs/reference/settings.md for a page made from it."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", hide_input_in_errors=True
    )

    home: Path = Field(Path("var/shop"), description="Folder of everything this shop keeps.")
    shop: str = Field(
        "",
        max_length=100,
        description="Name that shared stores know this shop by; default: as its home was called.",
    )
    landing: str = Field("", description="Where the shop drops files; default: HOME/landing.")
    lake: str = Field("", description="Clean tables; s3a:// is not tested yet; default: HOME/lake.")
    published: str = Field("", description="Bundles and pointers, local or s3://.")
    reports: str = Field("", description="Records and pages of runs, local or s3://.")
    sources: Annotated[tuple[str, ...], NoDecode] = Field(
        ("shop",), min_length=1, description="Sources of the file of sources to ingest, by comma."
    )
    sources_file: Path = Field(
        Path("jobs/sources.yaml"),
        description="File that says where files of a source lie and how to read them.",
    )
    user_key_secret: SecretStr = Field(
        description="Secret under which user ids become keys; at least 16 characters.",
        min_length=16,
    )

    ingest_batch_bytes: int = Field(
        4 * 1024**3,
        ge=1,
        description="Most bytes of landing files read as one batch; sets the disk a batch needs.",
    )
    more_uploads: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Endings of files still being uploaded, by comma, beside .part, .tmp and such.",
    )
    ingest_batch_files: int = Field(
        10_000,
        ge=1,
        description="Most landing files read as one batch; each is listed and opened.",
    )
    show_lists_by: str = Field(
        "",
        description="What answers for the page What customers see, as package.module:Name.",
    )
    time_zone: Annotated[str, AfterValidator(zone_name)] = Field(
        "UTC", description="Zone of the shop; pages show its time beside UTC."
    )
    schedule: Annotated[str, AfterValidator(cron_line)] = Field(
        "0 */6 * * *", description="Cron line of retrain_recommender, UTC."
    )
    task_retries: int = Field(1, ge=0, le=10, description="Retries of a task after a crash.")
    approvers: Annotated[tuple[str, ...], NoDecode] = Field(
        ("pm",), min_length=1, description="Airflow users who may approve a release, by comma."
    )
    approval_hours: float = Field(
        24.0,
        gt=0,
        le=24 * 14,
        description="Hours to wait for an answer; then it is a rejection.",
    )
    training_window_days: int = Field(90, ge=2, description="Days of events a model learns from.")
    holdout_users: int = Field(
        1000,
        ge=1,
        description="Customers to judge by: the hold-out grows until it has so many.",
    )
    holdout_days: int = Field(
        3,
        ge=1,
        le=60,
        description="Least length of it. Raised past the live model's cut, a person decides.",
    )
    most_holdout_days: int = Field(
        28,
        ge=1,
        le=60,
        description="Most length of it; never over a quarter of the days with data.",
    )
    most_events_per_day: int = Field(
        1000, ge=1, description="Beyond this a user is a crawler, and left out of the data."
    )
    attribution_hours: float = Field(
        24.0,
        gt=0,
        le=24,
        description="Hours after a click in which carts and purchases are credited to its list.",
    )
    half_life_days: float = Field(30.0, gt=0, description="Age at which an event counts half.")
    placements: Path = Field(
        Path("models/placements.yaml"),
        description="File that says what is a success and what each list shows.",
    )
    refit: bool = Field(True, description="Fit the winner again on all data before publishing it.")
    training_threads: int = Field(1, ge=1, description="1 makes two equal runs bit-identical.")
    training_memory_mb: int = Field(
        4096,
        ge=64,
        description="Memory in MB of a training; above it `ease` learns fewer items, others fail.",
    )
    seed: int = Field(7, ge=0, description="Seed of everything random.")

    keep_versions: int = Field(10, ge=2, description="Published versions that are kept.")
    keep_version_hours: float = Field(
        24.0, gt=0, description="Hours for which a replaced version is kept for its readers."
    )
    serving_seconds: float = Field(
        60,
        gt=0,
        description="Seconds in which a new bundle must open and answer, or it is not published.",
    )
    serving_memory_mb: int = Field(
        2048,
        ge=64,
        description="Memory in MB that a new bundle may use to open and answer.",
    )

    spark_master: str = Field(
        "local[2]", description="local[N] or spark://; yarn and k8s:// are not tested yet."
    )
    spark_driver_memory: str = Field("2g", pattern=r"^\d+[mg]$", description="Heap of the driver.")
    spark_java_options: str = Field(
        "-XX:+UseParallelGC", description="Extra options of the driver's JVM; one collector only."
    )
    spark_submit_options: str = Field(
        "", repr=False, description="Extra spark-submit options on a cluster."
    )

    notify_email: Annotated[tuple[str, ...], NoDecode, AfterValidator(mail_addresses)] = Field(
        (), description="Who is told when a retraining fails or waits, by comma."
    )
    notify_webhook: Annotated[SecretStr, AfterValidator(web_address)] = Field(
        SecretStr(""), description="Address that is told too, in the form of Slack: {'text': ...}."
    )

    mlflow_uri: str = Field(
        "", repr=False, description="Tracking server; default: SQLite under HOME."
    )
    s3_endpoint: str = Field("", description="Address of an S3 service other than AWS.")
    s3_encryption: Literal["AES256", "aws:kms", "none"] = Field(
        "AES256", description="What a bucket encrypts by, over https; none: as it is set up."
    )
    airflow_port: int = Field(8080, ge=1, le=65535, description="Port of the Airflow UI.")
    mlflow_port: int = Field(5000, ge=1, le=65535, description="Port of the MLflow UI.")

    serving_host: str = Field(
        "127.0.0.1", min_length=1, description="Address that the server of recommendations binds."
    )
    serving_port: int = Field(8090, ge=1, le=65535, description="Its port.")
    serving_workers: int = Field(1, ge=1, le=64, description="Its processes, about one a core.")
    serving_queue: int = Field(
        256, ge=1, description="Requests that a worker answers at once; all beyond get 429."
    )
    serving_land_seconds: float = Field(
        60.0, gt=0, description="Seconds after which its events and its served log are landed."
    )

    @field_validator("home")
    @classmethod
    def _absolute(cls, home: Path) -> Path:
        return home.expanduser().resolve()

    @field_validator("placements", "sources_file")
    @classmethod
    def _of_the_repository(cls, file: Path) -> Path:
        """Look for a relative path where the shipped files are, whatever the working folder."""
        return REPOSITORY / file.expanduser()

    @field_validator("most_holdout_days")
    @classmethod
    def _least_before_most(cls, most: int, others: ValidationInfo) -> int:
        least = others.data.get("holdout_days", most)
        if least > most:
            raise ValueError(f"{most} is less than CATWALK_HOLDOUT_DAYS, {least}")
        return most

    @field_validator("sources", "approvers", "notify_email", "more_uploads", mode="before")
    @classmethod
    def _by_comma(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(name.strip() for name in value.split(",") if name.strip())
        return value

    @property
    def mlflow_address(self) -> str:
        """Where MLflow's pages are."""
        if self.mlflow_uri.startswith("http"):
            return self.mlflow_uri
        return f"http://127.0.0.1:{self.mlflow_port}"

    @property
    def airflow_home(self) -> Path:
        """Folder of Airflow's own database, logs and passwords."""
        return self.home / AIRFLOW


def shop_zone() -> ZoneInfo:
    """Return the zone of the shop for whoever only writes times; UTC where none is known."""
    try:
        return ZoneInfo(os.environ.get(f"{PREFIX}TIME_ZONE") or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def load_settings() -> Settings:
    """Read the settings from the environment.

    Raises
    ------
    SettingsError
        A value cannot be read, is missing, or a CATWALK_ variable is unknown.
    """
    _refuse_unknown_variables()
    try:
        return _with_default_addresses(Settings())
    except ValidationError as error:  # not chained: its text may show part of a secret
        raise SettingsError(
            _in_variables(error), "Correct it; `make settings` lists all."
        ) from None


def _with_default_addresses(settings: Settings) -> Settings:
    places = {
        name: getattr(settings, name) or str(settings.home / name)
        for name in ("landing", "lake", "published", "reports")
    }
    places["mlflow_uri"] = (
        settings.mlflow_uri or f"sqlite:///{settings.home / MLFLOW / 'mlflow.db'}"
    )
    places["shop"] = settings.shop or settings.home.name or "shop"
    return settings.model_copy(update=places)


def _refuse_unknown_variables() -> None:
    names = {PREFIX + name.upper() for name in Settings.model_fields}
    for variable in sorted(os.environ):
        if variable.startswith(PREFIX) and variable not in names:
            near = get_close_matches(variable, names, n=1)
            hint = f"Did you mean {near[0]}?" if near else "`make settings` lists all."
            raise SettingsError(
                f"The setting {variable} does not exist.", MOVED.get(variable, hint)
            )


def _in_variables(error: ValidationError) -> str:
    """Name the environment variables, not the fields; never echo a value, it may be secret."""
    names = [PREFIX + str(part["loc"][0]).upper() for part in error.errors() if part["loc"]]
    return f"Settings cannot be read ({', '.join(names)}): {describe(error)}"
