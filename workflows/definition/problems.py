"""What is wrong with a definition, said so that an editor can lead to the place."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Problem:
    """`step` is a step's key or null for the workflow itself; `field` a dotted path inside it. Errors block
    publishing, warnings do not."""

    step: str | None
    field: str
    code: str
    message: str
    severity: Literal["error", "warning"] = "error"

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)
