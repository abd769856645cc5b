"""What is secret is shown nowhere: not in errors, commands or settings."""

from __future__ import annotations

import doctest
from types import SimpleNamespace

import pytest

from infra import hidden
from infra.errors import BusyError
from infra.hidden import hide_in_command, hide_secrets
from infra.settings import load_settings
from infra.spark import submit
from infra.storage import Storage
from jobs import ingest_events

PASS = "hunter2@x"
WHOLE = "hunter2@x|&one|,two|;three| four"  # all its parts are secret


@pytest.mark.parametrize(
    "text",
    [
        f"postgresql+psycopg2://me:{PASS}@host:5432/db",
        f"http://:{PASS}@proxy",
        f"--conf spark.hadoop.fs.s3a.secret.key={PASS}",
        f"--conf 'spark.ssl.keyStorePassword={PASS} and more'",
        f"?sslmode=require&password={PASS}&user=me",
        f"AWS_ACCESS_KEY_ID={PASS}",
        f"spark.hadoop.fs.azure.account.key.shop.dfs.core.windows.net={PASS}==",
        f"x.private.key={PASS}",
        f"https://host/file?signature={PASS}&v=1",
        f'{{"user": "me", "db_password": "{PASS}"}}',
        f"{{'token':'{PASS}'}}",
        f'{{"secret": "a\\"{PASS}"}}',
        f"https://{PASS}@host/packages",
    ],
)
def test_passwords_and_keys_are_hidden(text: str) -> None:
    assert PASS not in hide_secrets(text) and "***" in hide_secrets(text)


@pytest.mark.parametrize(
    "text",
    [
        "sqlite:////srv/shop/mlflow/mlflow.db",
        "http://127.0.0.1:8080/a@b",
        "s3://bucket/catwalk",
        "secrets.json cannot be read.",
        "--conf spark.ui.enabled=false",
        "abfss://lake@shop.dfs.core.windows.net/tables",
        '{"key": "a", "user": "me"}',
    ],
)
def test_what_is_not_secret_stays(text: str) -> None:
    assert hide_secrets(text) == text


@pytest.mark.parametrize(
    "arguments",
    [
        [f"spark.hadoop.fs.azure.account.key.shop={WHOLE}=="],
        [f"--conf=spark.hadoop.private.key={WHOLE}"],
        [f"spark.driver.extraJavaOptions=-Da=b -Dx.password={WHOLE}"],
        ["--password", WHOLE],
        ["--secret-of-shop", WHOLE],
        ["--token", WHOLE],
        [f'{{"password": "{WHOLE}"}}'],
        [f"https://{PASS}@host"],
    ],
)
def test_a_command_shows_no_part_of_a_secret(arguments: list[str]) -> None:
    shown = hide_in_command(["run", *arguments, "--run", "run=x"])
    assert shown[0] == "run" and shown[-2:] == ["--run", "run=x"]
    assert len(shown) == len(arguments) + 3 and "***" in " ".join(shown)
    assert not any(part in " ".join(shown) for part in WHOLE.split("|"))


def test_worked_examples() -> None:
    tried = doctest.testmod(hidden)
    assert tried.failed == 0 and tried.attempted > 0


def test_neither_an_error_nor_a_command_nor_settings_show_one(
    shop: Storage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    address = f"postgresql://me:{PASS}@host/db"
    error = BusyError(f"{address} is away.", f"Try {address} again.")
    assert PASS not in f"{error} {error.fact} {error.cure} {error!r}"
    monkeypatch.setenv("CATWALK_MLFLOW_URI", address)
    monkeypatch.setenv("CATWALK_NOTIFY_WEBHOOK", f"https://hooks.example/{PASS}")
    monkeypatch.setenv("CATWALK_SPARK_MASTER", "spark://host:7077")
    monkeypatch.setenv("CATWALK_SPARK_SUBMIT_OPTIONS", f"--conf spark.hadoop.fs.secret.key={PASS}")
    assert PASS not in repr(load_settings()) + str(load_settings())
    ran = []
    monkeypatch.setattr(submit, "prepare_submitting", lambda: None)
    monkeypatch.setattr(
        submit.subprocess,
        "run",
        lambda command, check: ran.append(command) or SimpleNamespace(returncode=0),
    )
    submit.submit(ingest_events, ["--run", "run=x"])
    assert f"spark.hadoop.fs.secret.key={PASS}" in ran[0]
    said = capsys.readouterr().out
    assert "spark.hadoop.fs.secret.key=***" in said and PASS not in said
