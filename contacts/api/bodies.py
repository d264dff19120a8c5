"""The bytes of a request, for views that look at them before, or without, a parser of the framework."""

from __future__ import annotations

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, UnreadablePostError

from contacts.problems import BadRequest, TooLarge


def read_body(request: HttpRequest) -> bytes:
    """Raises TooLarge (413), or BadRequest (400) where the sender stopped in the middle."""
    try:
        return request.body
    except RequestDataTooBig as error:
        raise TooLarge from error
    except (UnreadablePostError, ValueError) as error:  # ValueError: a Content-Length that is not a number
        raise BadRequest("The body could not be read.") from error
