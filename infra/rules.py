"""Reads the YAML files that people edit, and records: strict, and clear about what is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator

from infra.errors import CatwalkError, SettingsError, StorageError
from infra.plain_yaml import Keys, load_plain


class Strict(BaseModel):
    """Base of all rules files and records: frozen; refuses unknown keys, and words as switches.

    `true` is no number, and of a switch only `true` and `false` are values: pydantic would also
    take `no`, `off` and 0.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    @field_validator("*", mode="before")
    @classmethod
    def _true_is_no_number(cls, value: object, info: ValidationInfo) -> object:
        if info.field_name is None or not isinstance(value, bool | int | float | str):
            return value
        kinds = _kinds(cls.model_fields[info.field_name].annotation)
        if isinstance(value, bool) and bool not in kinds and kinds & {int, float}:
            raise ValueError(f"{str(value).lower()} is no number")
        if bool in kinds and not isinstance(value, bool) and not kinds & {int, float, str}:
            raise ValueError("write true or false")
        return value


def _kinds(annotation: object) -> set[object]:
    """Return the types that a field may have, of a union each."""
    parts = get_args(annotation) if get_origin(annotation) in {Union, UnionType} else ()
    return {kind for part in parts for kind in _kinds(part)} if parts else {annotation}


StrictType = TypeVar("StrictType", bound=Strict)
SHORT = 40  # characters of a wrong value that an error repeats


def load_rules(file: Path, model: type[StrictType]) -> StrictType:
    """Parse one rules file.

    Raises
    ------
    SettingsError
        The file is missing, empty, not YAML, or holds an unknown key or a wrong value;
        the message names the file, the key and the cure.
    """
    return parse_rules(_read(file), model, str(file))


def load_mapping(file: Path, model: type[StrictType]) -> dict[str, StrictType]:
    """Parse a file whose top-level keys are names; raise as `load_rules` does."""
    return parse_mapping(read_rules(file), model, str(file))


def parse_mapping(content: bytes, model: type[StrictType], origin: str) -> dict[str, StrictType]:
    """Parse bytes whose top-level keys are names; `origin` names where they came from in errors."""
    return {
        str(name): parse_rules(entry, model, f"{origin}, '{name}'")
        for name, entry in parse_yaml(content, origin).items()
    }


def read_rules(file: Path) -> bytes:
    """Return the bytes of a rules file; raise `SettingsError` if it is missing or unreadable."""
    try:
        return file.read_bytes()
    except FileNotFoundError as error:
        raise SettingsError(f"The rules file {file} does not exist.", "Restore it.") from error
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {error}.", "Correct it.") from error


def parse_yaml(content: bytes, origin: str) -> dict[Any, Any]:
    """Parse bytes that hold keys; `origin` names where they came from in the error.

    Raises
    ------
    SettingsError
        They are not YAML as `infra.plain_yaml` reads it, or no key is there.
    """
    try:
        loaded = load_plain(content.decode("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"{origin}{_problem(error)}.", "Correct it.") from error
    if not isinstance(loaded, dict):
        raise SettingsError(
            f"{origin} holds no keys.", "Restore it; an empty file decides nothing."
        )
    return loaded


def _read(file: Path) -> dict[Any, Any]:
    return parse_yaml(read_rules(file), str(file))


def _problem(error: Exception) -> str:
    """Say in one line what is wrong, and in which line; PyYAML's own text takes several."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        return f" line {error.problem_mark.line + 1}: {error.problem or error.context}"
    return f" cannot be read as YAML: {' '.join(str(error).split())}"


def parse_rules(content: object, model: type[StrictType], origin: str) -> StrictType:
    """Validate already loaded content; `origin` names where it came from in the error."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        told = describe(error, content, model)
        raise SettingsError(f"{origin}: {told}", "Correct it and run again.") from error


def parse_json(
    content: bytes,
    model: type[StrictType],
    name: str,
    cure: str,
    refuse: type[CatwalkError] = StorageError,
) -> StrictType:
    """Parse a record; raise `refuse`, which says that `name` cannot be read, and why."""
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        raise refuse(f"{name} cannot be read: {describe(error)}", cure) from error


def describe(
    error: ValidationError, content: object = None, model: type[BaseModel] | None = None
) -> str:
    """Say in one line which keys are wrong and why, without echoing whole inputs.

    Of content from a file it also says the line, and a wrong word or number itself; by the model
    it guesses which key was meant.
    """
    told = (
        _describe_part(part["loc"], part["type"], part["msg"])
        + (_meant(part["loc"], model) if part["type"] == "extra_forbidden" else "")
        + _written(content, part["loc"], part["input"])
        for part in error.errors()
    )
    return "; ".join(told) + "."


def _describe_part(location: tuple[int | str, ...], kind: str, message: str) -> str:
    key = ".".join(str(step) for step in location) or "the file"
    if kind == "extra_forbidden":
        return f"unknown key '{key}'"
    if kind == "missing":
        return f"key '{key}' is missing"
    said = message.removeprefix("Value error, ")
    return f"key '{key}': {said[0].lower()}{said[1:]}"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Ask for the known name that was probably meant; empty where none is near.

    >>> did_you_mean("max_drop", ["max", "max_drop_vs_champion"]), did_you_mean("x", ["min"])
    (', did you mean max_drop_vs_champion?', '')
    """
    names, plain = list(known), re.sub(r"\W+", "_", name.lower())
    longer = [other for other in names if len(plain) > 2 and other.startswith(plain)]
    near = longer or get_close_matches(plain, names, n=1)
    return f", did you mean {near[0]}?" if near else ""


def _meant(location: tuple[int | str, ...], model: type[BaseModel] | None) -> str:
    """Guess the key of the model that lies at the place of an unknown key."""
    for step in location[:-1]:
        field = model.model_fields.get(str(step)) if model else None
        if field is not None:
            model = next(_models(field.annotation), None)
    return did_you_mean(str(location[-1]), model.model_fields) if model else ""


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    """Give the models that a field holds, also inside a mapping or a union."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)


def _written(content: object, location: tuple[int | str, ...], value: object) -> str:
    """Say in which line of a file a key is, and what is there if that is short."""
    line = 0
    for step in location:
        if isinstance(content, Keys):
            line = content.lines.get(step, line)
        try:
            content = content[step]  # type: ignore[index]
        except (TypeError, LookupError):
            break
    if not line:
        return ""
    short = isinstance(value, str | int | float) and len(str(value)) <= SHORT
    return f" (line {line}{f': {value}' if short else ''})"
