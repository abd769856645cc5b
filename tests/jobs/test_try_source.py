"""A source is tried in seconds, and nobody's shop sees anything of it."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from infra.errors import CatwalkError
from infra.rules import parse_yaml
from jobs import try_source
from jobs.landing.sources import EventFeed

GATE = "expectations.events:gate_events"
SOURCES = """
till:
  events:
    files: events/till/*.csv*
    format: csv
    time_zone: UTC
    max_age_days: 400
    fields: [Nr, Art, Zeit, Kunde, Artikel]
    columns:
      event_id: Nr
      event_type: Art
      event_time: Zeit
      user_id: Kunde
      item_id: Artikel
    event_types: {gekauft: purchase}
"""


def test_a_sample_shows_books_rows_words_and_rules(
    spark: object,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data, temporary = tmp_path / "data", tmp_path / "temporary"
    data.mkdir()
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    at = datetime.now(UTC) - timedelta(days=1)
    words = ["gekauft"] * 6 + ["retour"] * 2
    lines = [f"{n},{word},{at:%Y-%m-%d %H:%M:%S},K{n}7,A-{n}" for n, word in enumerate(words)]
    (data / "day.csv").write_text("\n".join(["Nr,Art,Zeit,Kunde,Artikel", *lines, "a,b", ""]))
    (data / "sources.yaml").write_text(SOURCES)
    asked = ["--data", str(data), "--source", "till", "--gate", GATE]
    assert try_source.main(asked) == 1
    said = capsys.readouterr().out
    assert "A sample of 1 of 1 files" in said
    assert "9 rows read, 6 clean, 3 quarantined" in said
    for row in ("purchase", "Quarantined as unknown_type", "Kunde: (hidden)", "its shape: a,a"):
        assert row in said
    [word] = [line.split() for line in said.splitlines() if line.split()[:1] == ["retour"]]
    assert word == ["retour", "2"]
    [rule] = [line.split() for line in said.splitlines() if "quarantined_unknown_type" in line]
    assert rule[1].startswith("0.2") and rule[-2] == "FAILED"
    assert "A critical rule would stop it." in said and "K67" not in said
    assert list(temporary.iterdir()) == [], "nothing is kept"


def test_a_sample_ends_with_a_whole_row() -> None:
    feed = parse_yaml(SOURCES.encode(), "x")["till"]["events"]
    csv = EventFeed.model_validate(feed)
    json_lines = EventFeed.model_validate({**feed, "format": "jsonl"})
    rows, rest = b'1,"a\nb"\n2,5" wide\n3,"x\ny"\n4,6" wide\n', b'5,"in\nthe mid'
    assert try_source.end_of_rows(rows + rest, csv) == len(rows)
    assert try_source.end_of_rows(rows + rest, json_lines) == len(rows) + len(b'5,"in\n')
    stray = b'1,"a\n' + 200 * b"2,b\n"
    assert try_source.end_of_rows(stray + b"3", csv) == len(stray)


@pytest.mark.parametrize(
    ("data", "source", "said"),
    [("nowhere", "till", "Give DATA=folder"), ("", "", "Give DATA=folder"), ("data", "x", "'x'")],
)
def test_what_cannot_be_tried_is_one_line(
    tmp_path: Path, data: str, source: str, said: str
) -> None:
    (tmp_path / "data").mkdir()
    with pytest.raises(CatwalkError, match=said):
        try_source.main(["--data", str(tmp_path / data), "--source", source, "--gate", GATE])
