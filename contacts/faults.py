"""What is wrong with a piece of input, said the same way by every door that takes input. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """`loc` is the path to the place (empty: the whole), `msg` a sentence for people, `code` a word for programs.

    The value itself is never repeated: it may be personal, and messages reach logs."""

    code: str
    msg: str
    loc: tuple[str | int, ...] = ()

    def below(self, *parents: str | int) -> Fault:
        """The same fault, seen from further up."""
        return Fault(self.code, self.msg, (*parents, *self.loc))

    def as_json(self) -> dict[str, object]:
        return {"loc": list(self.loc), "msg": self.msg, "code": self.code}
