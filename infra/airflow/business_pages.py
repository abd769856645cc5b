"""The pages about the business: KPIs and A/B tests, each made when somebody looks."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import FastAPI, Query, Request, Response

from infra.airflow.html_answers import csv_file, html, message
from infra.errors import InputError
from infra.report.ab_test import ab_test_csv, find_ab_test, render_ab_test
from infra.report.ab_tests import find_ab_tests, render_ab_tests
from infra.report.business import (
    SPANS,
    Asked,
    business_csv,
    customers_csv,
    find_business,
    render_business,
)
from infra.storage import Storage

Format = Annotated[Literal["html", "csv"], Query(alias="format")]
BusinessFormat = Annotated[Literal["html", "csv", "customers.csv"], Query(alias="format")]
Name = Annotated[str, Query(max_length=200)]
NOT_MEASURED = "The DAG measure_business counts what was served, seen and bought, once it has run."


def add_business_pages(app: FastAPI, storage: Storage) -> None:
    """Add the pages to an application that checks who is logged in."""
    pages = _BusinessPages(storage)
    app.get("/business")(pages.business)
    app.get("/ab-tests")(pages.ab_tests)
    app.get("/ab-tests/{name}")(pages.ab_test)


class _BusinessPages:
    """The pages, a method for each."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def business(
        self,
        request: Request,
        placement: Name = "",
        version: Name = "",
        days: Annotated[int, Query(ge=min(SPANS), le=max(SPANS))] = SPANS[0],
        as_file: BusinessFormat = "html",
    ) -> Response:
        """Show what lists bring by day, or give the numbers."""
        try:
            page = find_business(self._storage, Asked(placement, version, days))
        except InputError as error:
            said = message("Nothing to show", str(error))
            return html(request, said, HTTPStatus.UNPROCESSABLE_ENTITY)
        if page is None:
            return html(request, message("Nothing measured yet", NOT_MEASURED))
        if as_file == "csv":
            return csv_file("lists-by-day", business_csv(page))
        if as_file == "customers.csv":
            return csv_file("customers-by-day", customers_csv(page))
        return html(request, lambda frame: render_business(page, frame), form="'self'")

    def ab_tests(self, request: Request) -> Response:
        """Show all A/B tests."""
        page = find_ab_tests(self._storage, datetime.now(UTC))
        return html(request, lambda frame: render_ab_tests(page, frame))

    def ab_test(self, request: Request, name: str, as_file: Format = "html") -> Response:
        """Show what is known of a test, or give its numbers by day."""
        page = find_ab_test(self._storage, name, datetime.now(UTC))
        if page is None:
            return html(request, message("No such A/B test", "The page A/B tests lists all."), 404)
        if as_file == "csv":
            return csv_file(f"ab-test-{page.test.name}", ab_test_csv(page))
        return html(request, lambda frame: render_ab_test(page, frame))
