"""The page What customers see: for whoever may start runs, as it is about single persons.

What is asked arrives by POST, so that no id stands in an address, a history or a log. Who asks for
a person is noted before anything is shown.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from http import HTTPStatus
from typing import Annotated, Literal

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from fastapi import Depends, FastAPI, Form, Request, Response

from infra.airflow.html_answers import csv_file, html
from infra.airflow.report_links import DAG
from infra.errors import CatwalkError, SettingsError
from infra.ledger.looks import note_look
from infra.loading import load_named
from infra.person_keys import PersonKeys
from infra.records.shown_lists import ListQuestion, Look, ShowsLists, Who
from infra.report.shown_lists import (
    ListsPage,
    Wish,
    lists_csv,
    offers_of,
    question_of,
    render_lists,
    shown,
)
from infra.storage import Storage

KEY_DIGITS = 8  # of a key that the record of a look keeps
Text = Annotated[str, Form(max_length=500)]
Format = Annotated[Literal["html", "csv"], Form(alias="format")]


def add_lists_page(app: FastAPI, storage: Storage) -> None:
    """Add the page to an application that checks who is logged in."""
    page = _ListsPage(storage)
    may_look = [Depends(requires_access_dag("POST", DagAccessEntity.RUN, param_dag_id=DAG))]
    app.get("/lists", dependencies=may_look)(page.ask)
    app.post("/lists", dependencies=may_look)(page.answer)


class _ListsPage:
    """The form, and what it is answered."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def ask(self, request: Request) -> Response:
        """Show the form."""
        page = self._page(Wish())
        return html(request, lambda frame: render_lists(page, frame), form="'self'")

    def answer(
        self,
        request: Request,
        user: GetUserDep,
        placement: Text = "",
        who: Annotated[Who, Form()] = "",
        person: Text = "",
        items: Text = "",
        market: Text = "",
        category: Text = "",
        beside: Text = "",
        as_file: Format = "html",
    ) -> Response:
        """Show the lists side by side, or give them as a file."""
        wish = Wish(placement, who, person, items, market, category, beside)
        page = self._checked(self._page(wish))
        if not page.mistake:
            page = self._answered(page, user.get_name())
            if as_file == "csv":
                return csv_file("lists", lists_csv(page))
        status = HTTPStatus.UNPROCESSABLE_ENTITY if page.mistake else HTTPStatus.OK
        return html(
            request, lambda frame: render_lists(page, frame), status, "'self'", page.origins
        )

    @cached_property
    def _shows(self) -> ShowsLists:
        name = self._storage.settings.show_lists_by
        if not name:
            raise SettingsError(
                "This Airflow does not know what answers for this page.",
                "Set CATWALK_SHOW_LISTS_BY as the Makefile does.",
            )
        shows: ShowsLists = load_named(name)(self._storage)
        return shows

    def _page(self, wish: Wish) -> ListsPage:
        offers = offers_of(self._storage)
        if not offers:
            return ListsPage(wish, (), (), mistake="Nothing has been released yet.")
        try:
            placements = self._shows.placements(offers[0].version)
        except CatwalkError as error:
            return ListsPage(wish, (), offers, mistake=str(error))
        return ListsPage(wish, placements, offers)

    def _checked(self, page: ListsPage) -> ListsPage:
        wish = page.wish
        if page.mistake:
            return page
        if wish.placement not in page.placements:
            return replace(page, mistake="What is live has no such placement. Choose another.")
        if bool(wish.who) != bool(wish.person.strip()):
            return replace(page, mistake="Say both whom you mean and the id or key, or neither.")
        return page

    def _answered(self, page: ListsPage, by: str) -> ListsPage:
        secret = self._storage.settings.user_key_secret.get_secret_value()
        question = question_of(page.wish, PersonKeys(secret))
        if page.wish.who:
            note_look(self._storage, _look(page, question, by))
        return replace(page, lists=shown(self._shows, page, question))


def _look(page: ListsPage, question: ListQuestion, by: str) -> Look:
    key = question.user_key or question.visitor_key
    return Look(
        at=datetime.now(UTC),
        by=by,
        about=page.wish.who,
        key_begins=key[:KEY_DIGITS],
        placement=question.placement,
        versions=tuple(offer.version for offer in page.chosen),
    )
