"""Every error of the API in one shape: `application/problem+json` (RFC 9457) with `type, title, status, detail`, and
`errors: [{loc, msg, code}]` where single places are at fault."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import wraps
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.views import defaults
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions
from rest_framework.response import Response

from contacts.faults import Fault

log = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"


class BadRequest(exceptions.APIException):
    """400, with the places at fault."""

    status_code = HTTPStatus.BAD_REQUEST
    default_detail = "The request is not valid."
    default_code = "invalid"

    def __init__(self, detail: str | None = None, faults: Sequence[Fault] = ()) -> None:
        super().__init__(detail)
        self.faults = list(faults)


def refuse_null_characters(asked: Mapping[str, str]) -> None:
    """For the parts of a query string that are compared with text in PostgreSQL, which has none of them."""
    if faults := [Fault("nul", "holds the character U+0000", (name,)) for name in asked if "\x00" in asked[name]]:
        raise BadRequest(faults=faults)


class TooLarge(exceptions.APIException):
    status_code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    default_detail = "The body is larger than this address takes."
    default_code = "too_large"


class Unavailable(exceptions.APIException):
    """Nothing is wrong with the request: try again."""

    status_code = HTTPStatus.SERVICE_UNAVAILABLE
    default_detail = "The service cannot take this right now. Send it again."
    default_code = "unavailable"
    wait = 1  # seconds, for Retry-After


def body(status: int, detail: str, faults: Sequence[Fault] = ()) -> dict[str, Any]:
    """The document itself."""
    problem: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": int(status),
        "detail": detail,
    }
    if faults:
        problem["errors"] = [fault.as_json() for fault in faults]
    return problem


def problem_details(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """Django REST framework's exception handler. None (an error page and a log entry) for what nobody foresaw."""
    from rest_framework.views import exception_handler  # its module loads our parser, which needs this one first

    if isinstance(error, OperationalError | InterfaceError):
        log.warning("the database refused a request: %s", type(error.__cause__ or error).__name__)
        error = Unavailable()
    response = exception_handler(error, context)  # also sets WWW-Authenticate, Retry-After, and rolls back
    if response is None:
        return None
    response.data = body(response.status_code, *_said(error))
    response.content_type = CONTENT_TYPE
    return response


def _said(error: Exception) -> tuple[str, Sequence[Fault]]:
    if isinstance(error, BadRequest):
        return str(error.detail), error.faults
    if isinstance(error, exceptions.ValidationError):
        return "The request is not valid.", list(_flatten(error.detail))
    if isinstance(error, exceptions.APIException):
        return str(error.detail), ()
    if isinstance(error, PermissionDenied):
        return str(error) or "You may not do this.", ()
    return "There is nothing here.", ()


def _flatten(detail: Any, loc: tuple[str | int, ...] = ()) -> Iterator[Fault]:
    """Serializer errors are a tree of dicts and lists; ours are a flat list with paths."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            yield from _flatten(inner, loc if name == "non_field_errors" else (*loc, name))
    elif isinstance(detail, list):
        for position, inner in enumerate(detail):
            yield from _flatten(inner, (*loc, position) if isinstance(inner, dict | list) else loc)
    else:
        yield Fault(getattr(detail, "code", "invalid"), str(detail), loc)


View = Callable[..., HttpResponse]
FORESEEN = (exceptions.APIException, Http404, PermissionDenied, OperationalError, InterfaceError)


def answers_problems(*methods: str) -> Callable[[View], View]:
    """For a plain Django view that takes these methods: it raises what a REST framework view would raise, and the
    answer has the same shape."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            try:
                if request.method not in methods:
                    raise exceptions.MethodNotAllowed(request.method or "")
                return view(request, *args, **kwargs)
            except FORESEEN as error:
                return _plain(problem_details(error, {"view": None, "request": request}), methods)

        return guarded

    return decorate


def _plain(problem: Response | None, methods: Sequence[str]) -> HttpResponse:
    assert problem is not None  # every one of FORESEEN has an answer
    headers = {name: value for name, value in problem.items() if name != "Content-Type"}
    if problem.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(methods)
    return HttpResponse(
        json.dumps(problem.data), status=problem.status_code, headers=headers, content_type=CONTENT_TYPE
    )


# -- what Django answers by itself (config/urls.py names these) --------------------------------------------------------


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _own(request, HTTPStatus.BAD_REQUEST, "The request is not valid.") or defaults.bad_request(
        request, exception
    )


@csrf_exempt
def no_such_address(request: HttpRequest) -> HttpResponse:
    """The last of the routes below /api/: programs get a problem while debugging, too."""
    return page_not_found(request, Http404())


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _own(request, HTTPStatus.NOT_FOUND, "There is nothing here.") or defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    sorry = "Something is wrong on our side. It was logged."
    return _own(request, HTTPStatus.INTERNAL_SERVER_ERROR, sorry) or defaults.server_error(request)


def _own(request: HttpRequest, status: HTTPStatus, detail: str) -> HttpResponse | None:
    """Programs get a problem, people the page."""
    if not request.path.startswith("/api/"):
        return None
    return HttpResponse(json.dumps(body(status, detail)), status=status, content_type=CONTENT_TYPE)
