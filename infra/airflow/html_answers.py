"""Answers with pages that hold no script, with numbers as CSV, and with a page for each refusal."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from starlette.exceptions import HTTPException

from infra.airflow.report_links import BASE
from infra.errors import CatwalkError
from infra.report.templates import Frame, Link, fill

LINKS = (
    Link("All reports", "/"),
    Link("Business", "/business"),
    Link("A/B tests", "/ab-tests"),
    Link("What customers see", "/lists"),
    Link("Quality over time", "/quality"),
    Link("Decisions", "/decisions"),
    Link("Overrides", "/overrides"),
)
REFUSALS = {
    401: ("Please log in", "Log in to Airflow, then open this page again."),
    403: ("Not for you", "Your user may not see this page. Ask whoever runs this Airflow."),
    404: ("No such report", "No run of this name has left a record."),
}
UNKNOWN = ("This address is not understood", "Go back to all reports.")
Page = Callable[[Frame], str]


def html(
    request: Request,
    page: Page,
    status: int = 200,
    form: str = "'none'",
    images: Sequence[str] = (),
) -> HTMLResponse:
    """Answer with a page under a policy that lets nothing in but the page's own styles.

    `form` is where a form of the page may be sent, `images` the origins of its pictures.
    """
    nonce = secrets.token_urlsafe(16)
    pictures = " ".join(images) or "'none'"
    headers = {
        "Content-Security-Policy": f"default-src 'none'; style-src 'nonce-{nonce}'; "
        f"img-src {pictures}; script-src 'none'; base-uri 'none'; form-action {form}; "
        "frame-ancestors 'self'",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cache-Control": "no-store",
    }
    base = str(request.scope.get("root_path", ""))
    frame = Frame(base, nonce, LINKS, base.removesuffix(BASE))
    return HTMLResponse(page(frame), status, headers)


def csv_file(name: str, text: str) -> Response:
    """Answer with a file of numbers, which a browser keeps and never shows as a page."""
    headers = {
        "Content-Disposition": f'attachment; filename="{name}.csv"',
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }
    return Response(text, 200, headers, "text/csv; charset=utf-8")


def message(heading: str, sentence: str) -> Page:
    """Return a page that says one thing."""
    return lambda frame: fill("message.html", frame, heading=heading, sentence=sentence)


def answer_errors(app: FastAPI) -> None:
    """Let an application answer each error with a page that says what to do."""
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _refused)
    app.add_exception_handler(CatwalkError, _failed)


def _refused(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 422
    return html(request, message(*REFUSALS.get(status, UNKNOWN)), status)


def _failed(request: Request, error: Exception) -> Response:
    fact = error.fact if isinstance(error, CatwalkError) else ""
    return html(request, message("The reports cannot be read", fact), 503)
