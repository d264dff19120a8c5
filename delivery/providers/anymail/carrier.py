"""What is particular to one provider: its settings, what it can do, and what its answers mean. Pure."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from delivery.providers.base import Letter
from delivery.providers.exchange import Meaning


def _nothing(letter: Letter) -> dict[str, Any]:
    return {}


def _no_code(body: Any) -> object:
    return ""


@dataclass(frozen=True)
class Carrier:
    """`backend`: the module of Anymail; `options`: the arguments of its backend.

    `does_track`: it counts opens and clicks by itself; `asks_to_track`: because each request asks it to.
    `repeats_within`: as in `providers.base.Provider`. `statuses`: what differs from everywhere else. `code`: the name
    or the number of a fault in a body (parsed JSON, else its text); `codes`: what those mean, before the status is
    looked at. `particulars`: what a letter adds to the body, as Anymail's `esp_extra`; `headers`: to the mail's;
    `http_headers`: to the request's. `id_is_tag`: there is no metadata, our id goes as the only tag. `look_up`: which
    of these ids it has."""

    name: str
    backend: str
    options: Callable[[], dict[str, Any]]
    needed: tuple[str, ...]
    does_track: bool = False
    asks_to_track: bool = False
    repeats_within: float | None = None
    statuses: Mapping[int, Meaning] = field(default_factory=dict)
    code: Callable[[Any], object] = _no_code
    codes: Mapping[str, Meaning] = field(default_factory=dict)
    particulars: Callable[[Letter], dict[str, Any]] = _nothing
    headers: Callable[[Letter], dict[str, str]] = _nothing
    http_headers: Callable[[Letter], dict[str, str]] = _nothing
    id_is_tag: bool = False
    look_up: Callable[[Sequence[str]], Coroutine[Any, Any, set[str]]] | None = None
