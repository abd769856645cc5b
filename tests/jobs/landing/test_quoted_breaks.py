"""Rows over several lines are read as they came, and a stray quote swallows no row."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from random import Random
from zipfile import ZipFile

import pytest

from infra.errors import InputError
from infra.storage import Storage
from jobs.landing import contents
from jobs.landing.contents import require_content
from jobs.landing.quoted_breaks import LINE_FEED, RETURN, in_lines
from jobs.landing.sources import EventFeed, load_sources
from jobs.landing.unpacking import whole_content
from tests.jobs.shop_files import HEADER, WEBSHOP

LF, CR = LINE_FEED.encode(), RETURN.encode()
JOINED = {
    b'a,b,c\n1,"x\ny",3\n': b'a,b,c\n1,"x' + LF + b'y",3\n',
    b'1,"x\r\ny ""z""\n",3\r\n4,5,6': b'1,"x' + CR + LF + b'y ""z""' + LF + b'",3\r\n4,5,6',
    b'"\n",2,"\r"\r4,5,6\r': b'"' + LF + b'",2,"' + CR + b'"\r4,5,6\r',
    b'1,"x\n\n, y",3': b'1,"x' + LF + LF + b', y",3',
    b'1,"\xff\n",3\n': b'1,"\xff' + LF + b'",3\n',
}
AS_IT_IS = [
    b"",
    b'1,"x",3\n4,"y",6\n',
    b'1,5" wide,3\n4,6" wide,6\n',
    b'1,"never closed,3\n4,5,6\n',
    b'1,"never closed,3\n4,"y",6\n',  # the next quote closes nothing
    b'1,"never closed,3\n4,y",6\n',  # each line is a row of its own
    b'1,2,"never closed\n4,5,6\n7,8,y"\n',
    b'1,"x\ny",3,4\n',  # a column too many
    b'1,"x\ny" z,3\n',
    b'1,"' + b"x\n" * 600 + b'",3\n',  # longer than a row may be
    b'1,"x\ny",' + LF + b"\n",  # nobody could tell its breaks from ours
]


@pytest.mark.parametrize("content", JOINED)
def test_a_row_over_several_lines_is_brought_into_one(content: bytes) -> None:
    assert in_lines(content, ",", 3, 1_000) == JOINED[content]


@pytest.mark.parametrize("content", AS_IT_IS)
def test_what_is_no_such_row_stays_in_its_lines(content: bytes) -> None:
    assert in_lines(content, ",", 3, 1_000) is None


def test_whatever_csv_writes_is_brought_back() -> None:
    random = Random(7)
    rows = [
        ["".join(random.choices('ab"\n\r ', k=random.randrange(8))) for _ in range(9)]
        for _ in range(3_000)
    ]
    written = io.StringIO()
    csv.writer(written, delimiter=";", lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(rows)
    joined = in_lines(written.getvalue().encode(), ";", 9, 10_000)
    assert joined is not None
    lines = [line.replace(LF, b"\n").replace(CR, b"\r") for line in joined.splitlines()]
    found = [next(csv.reader([line.decode()], delimiter=";")) for line in lines]
    assert found == rows


def test_a_file_too_large_to_be_read_as_a_whole_is_named(
    shop: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sources.yaml").write_text(WEBSHOP)
    feed: EventFeed = load_sources(("webshop",), tmp_path / "sources.yaml")["webshop"].events
    file = tmp_path / "day.csv"
    row = '1;gekauft;2026-11-28 10:00;anna;i1;2;9,50;"not so\nfast"\n'
    file.write_text(f"{HEADER}\n" + 4_000 * row)
    require_content([str(file)], feed, shop.settings)
    monkeypatch.setattr(contents, "MOST_WHOLE", 200_000)
    with pytest.raises(InputError, match=r"day[.]csv has rows over several lines and more than"):
        require_content([str(file)], feed, shop.settings)
    file.write_text(f"{HEADER}\n" + 4_000 * row.replace("\n", " ", 1))
    require_content([str(file)], feed, shop.settings)


def test_files_of_one_archive_are_looked_at_as_they_are_copied(
    shop: Storage, tmp_path: Path
) -> None:
    file = tmp_path / "two.zip"
    with ZipFile(file, "w") as archive:
        archive.writestr("a.csv", 'id,text\n1,"over\nlines"')
        archive.writestr("b.csv", "id,text\n2,x\n")
    found = whole_content(str(file), shop.settings, 1000)
    assert found == b'id,text\n1,"over\nlines"\nid,text\n2,x\n'
    assert whole_content(str(file), shop.settings, 30) is None
