"""What this process remembers: all that the modules of the product hold by their names, spelt out. Between two seeds it
must be what it was; a memory that is new in the product is noticed here, and not as a history that plays otherwise."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence, Set
from functools import _lru_cache_wrapper
from types import ModuleType
from typing import Any

OURS = ("analytics.", "contacts.", "delivery.", "scoring.", "workflows.")
_DEEP = 5  # what lies deeper is not looked at


def modules() -> dict[str, ModuleType]:
    return {name: module for name, module in list(sys.modules.items()) if name.startswith(OURS)}


def held() -> dict[str, str]:
    """By the name of whatever holds it, dotted."""
    found: dict[str, str] = {}
    for name, module in modules().items():
        for key, value in list(vars(module).items()):
            if isinstance(value, type):
                if value.__module__ == name:  # a class may remember, too
                    found |= {f"{name}.{key}.{own}": _spelt(kept) for own, kept in vars(value).items()}
            elif not key.startswith("__"):
                found[f"{name}.{key}"] = _spelt(value)
    return found


def _spelt(value: Any, depth: int = 0) -> str:
    if value is None or isinstance(value, str | bytes | int | float):
        return repr(value)
    if isinstance(value, _lru_cache_wrapper):
        return f"{value.cache_info().currsize} answers"
    if depth > _DEEP or isinstance(value, type | ModuleType):
        return type(value).__name__
    if isinstance(value, Mapping):
        return f"{{{', '.join(sorted(f'{_spelt(k, depth + 1)}: {_spelt(v, depth + 1)}' for k, v in value.items()))}}}"
    if isinstance(value, Set):
        return f"{{{', '.join(sorted(_spelt(each, depth + 1) for each in value))}}}"
    if isinstance(value, Sequence):
        return f"[{', '.join(_spelt(each, depth + 1) for each in value)}]"
    if type(value).__module__.startswith(OURS) and hasattr(value, "__dict__"):
        return f"{type(value).__name__}{_spelt(vars(value), depth + 1)}"
    return type(value).__name__
