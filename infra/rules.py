"""Reads the YAML files that people edit, and records: strict, and clear about what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from infra.errors import CatwalkError, SettingsError, StorageError


class Strict(BaseModel):
    """Base of all rules files and records: frozen, and refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


StrictType = TypeVar("StrictType", bound=Strict)


class _UniqueKeyLoader(yaml.SafeLoader):
    """YAML lets a repeated key win silently; in a file that decides releases it must not."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        repeated = {str(key) for key in keys if keys.count(key) > 1}
        if repeated:
            raise yaml.constructor.ConstructorError(
                None, None, f"the key '{sorted(repeated)[0]}' occurs twice", node.start_mark
            )
        return super().construct_mapping(node, deep)


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
        They are not YAML, a key occurs twice, or no key is there.
    """
    try:
        loaded = _UniqueKeyLoader(content.decode("utf-8")).get_single_data()
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
        raise SettingsError(f"{origin}: {describe(error)}", "Correct it and run again.") from error


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


def describe(error: ValidationError) -> str:
    """Say in one line which keys are wrong and why, without echoing whole inputs."""
    return "; ".join(
        _describe_part(part["loc"], part["type"], part["msg"]) for part in error.errors()
    )


def _describe_part(location: tuple[int | str, ...], kind: str, message: str) -> str:
    key = ".".join(str(step) for step in location) or "the file"
    if kind == "extra_forbidden":
        return f"unknown key '{key}'."
    if kind == "missing":
        return f"key '{key}' is missing."
    return f"key '{key}': {message[0].lower()}{message[1:]}."
