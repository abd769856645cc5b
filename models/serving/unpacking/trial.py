"""Asks a version what a server will be asked, before anybody else does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from infra.errors import BundleError
from infra.placements import HOME
from models.bundle.histories import Histories
from models.bundle.lists import Lists
from models.merchandising.shop_rules import NO_RULES
from models.serving.answering import answer
from models.serving.question import Answer, Question
from models.serving.version import Version

KNOWN = 20  # customers that are asked about
CURE = "Build the bundle again; what answers now goes on."


def try_version(folder: Path) -> None:
    """Open what is unpacked, and ask about known customers, strangers and items everywhere.

    Raises
    ------
    BundleError
        A file does not fit the others, or an answer at `home` is empty or not the ready list, or
        any answer holds what may not be shown.
    """
    version, now = Version.open(folder), datetime.now(UTC)
    amount = len(version.items.ids)
    Lists.load(folder, list(version.lists.items), amount)  # they look at every entry
    Histories.load(folder, amount)
    users, item = _some_users(version), _some_item(version)
    for placement in version.placements.placements:
        for question in _questions(version, placement, users, item):
            _require_sound(version, answer(version, NO_RULES, question, now))
    if not answer(version, NO_RULES, Question(HOME), now).item_ids:
        raise BundleError(f"{version.name} has nothing to show to strangers.", CURE)
    for user in users:
        given = answer(version, NO_RULES, Question(HOME, user_key=user), now)
        ready = _ready(version, user)
        if given.item_ids[: len(ready)] != ready:
            raise BundleError(f"{version.name} does not answer with its ready lists.", CURE)


def _questions(version: Version, placement: str, users: list[str], item: str) -> Iterator[Question]:
    scope = _some_category(version) if version.placements.placements[placement].within else ""
    if scope is None:
        return  # nobody can ask for a category of this version
    for user in ["", *users]:
        yield Question(placement, user_key=user, item_ids=(item,), category=scope, explain=True)
        yield Question(placement, user_key=user, session_items=(item,), category=scope)


def _some_users(version: Version) -> list[str]:
    users = version.lists.users
    rows = np.unique(np.linspace(0, len(users) - 1, min(KNOWN, len(users))).astype(np.intp))
    return [users[row].decode() for row in rows]


def _some_item(version: Version) -> str:
    if not len(version.bestsellers):
        raise BundleError(f"{version.name} has nothing that may be shown.", CURE)
    return str(version.items.ids[version.bestsellers[-1]])


def _some_category(version: Version) -> str | None:
    """Return the category of what sells best of the items that have one; None if none has."""
    categories = version.items.categories[version.bestsellers]
    return next((str(name) for name in categories[categories != ""]), None)


def _ready(version: Version, user: str) -> list[str]:
    place = version.placements.home
    ready = version.lists.of(version.lists.row(user), place.rule)
    return version.items.ids[ready[0][: place.length]].tolist() if ready else []


def _require_sound(version: Version, given: Answer) -> None:
    places = version.assortment.places(given.item_ids)
    if len(set(places)) != len(places) or not version.items.recommendable[places].all():
        raise BundleError(f"{version.name} shows an item twice, or one that may not be.", CURE)
