"""Errors name the fact and the cure, and nothing that came in."""

from __future__ import annotations

from typing import Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.serving.api.problems import unreadable, without_values


class Shape(msgspec.Struct, forbid_unknown_fields=True):
    """What a client could send."""

    kind: Literal["a", "b"] = "a"
    name: str = ""


SECRET = "q7q7q7"


@given(before=st.text(max_size=20), after=st.text(max_size=20))
def test_no_wrong_value_and_no_unknown_field_is_repeated(before: str, after: str) -> None:
    text = f"{before}{SECRET}{after}"
    for content in ({"kind": text}, {text: 1}, {"name": [text]}):
        with pytest.raises(msgspec.ValidationError) as error:
            msgspec.json.decode(msgspec.json.encode(content), type=Shape)
        assert SECRET not in without_values(error.value)
        assert SECRET not in unreadable(error.value, "kind, name").body.decode()


@pytest.mark.parametrize(
    "value", ["q7q7q7` - at `$.name", "' - at `$.q7q7q7", "a\n - at `$.kind` q7q7q7"]
)
def test_a_value_that_looks_like_the_text_of_an_error_is_not_repeated(value: str) -> None:
    for content in ({"kind": value}, {value: 1}):
        with pytest.raises(msgspec.ValidationError) as error:
            msgspec.json.decode(msgspec.json.encode(content), type=Shape)
        assert SECRET not in without_values(error.value)


def test_where_a_value_is_wrong_is_said() -> None:
    with pytest.raises(msgspec.ValidationError) as error:
        msgspec.json.decode(b'{"kind": "c"}', type=Shape)
    assert without_values(error.value) == "The value is not one of the possible - at `$.kind`"
