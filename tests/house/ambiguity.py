"""Whether a regular expression can take exponential time: whether some text can be read by one of its loops in two
different ways, so that every further character doubles the ways that a failing match has to try.

The expression becomes an automaton of its character positions. It is hopeless if a position can be reached from itself
over the same text along two different paths (Weideman et al. 2016, "exponential degree of ambiguity"). Look-arounds and
anchors count as nothing and a reference to a group as any text, so a few sound expressions may be called hopeless, and
none that is hopeless sound."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from re import _constants as c  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

LONGEST = 80  # what is repeated up to so often is written out; more often counts as without end
_SAMPLES = [chr(n) for n in range(128)] + list("éßЖ中٣²\u2028\u00a0\U0001f600")
_CATEGORIES = {
    c.CATEGORY_DIGIT: str.isdecimal,
    c.CATEGORY_SPACE: str.isspace,
    c.CATEGORY_WORD: lambda char: char.isalnum() or char == "_",
}
_OPPOSITES = {
    c.CATEGORY_NOT_DIGIT: c.CATEGORY_DIGIT,
    c.CATEGORY_NOT_SPACE: c.CATEGORY_SPACE,
    c.CATEGORY_NOT_WORD: c.CATEGORY_WORD,
}


@dataclass
class _Automaton:
    """`reads`: position -> the characters that it takes, as bits. `free`: state -> states that are reached without
    reading, one entry for each way."""

    alphabet: list[str]
    flags: int
    reads: dict[int, int] = field(default_factory=dict)
    free: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    states: int = 0
    _reach: dict[int, set[int]] = field(default_factory=dict)

    def state(self) -> int:
        self.states += 1
        return self.states

    def add(self, items: Any, begin: int) -> int:
        for op, said in items:
            begin = self._one(op, said, begin)
        return begin

    def _one(self, op: Any, said: Any, begin: int) -> int:
        if op in (c.LITERAL, c.NOT_LITERAL, c.IN, c.ANY, c.CATEGORY):
            here, end = self.state(), self.state()
            self.free[begin].append(here)
            self.reads[here] = sum(1 << n for n, char in enumerate(self.alphabet) if _takes(op, said, char, self.flags))
            self.free[-here].append(end)  # after the character was read
            return end
        if op is c.SUBPATTERN:
            return self.add(said[-1], begin)
        if op is c.ATOMIC_GROUP:
            return self.add(said, begin)
        if op is c.BRANCH:
            end = self.state()
            for each in said[1]:
                first = self.state()
                self.free[begin].append(first)
                self.free[self.add(each, first)].append(end)
            return end
        if op in (c.MAX_REPEAT, c.MIN_REPEAT, c.POSSESSIVE_REPEAT):
            return self._repeat(*said, begin)
        if op in (c.AT, c.ASSERT, c.ASSERT_NOT):
            return begin
        if op is c.GROUPREF:  # it may be any text
            return self._repeat(1, c.MAXREPEAT, [(c.ANY, None)], begin)
        raise ValueError(f"{op} cannot be judged")

    def _repeat(self, least: int, most: Any, body: Any, begin: int) -> int:
        for _ in range(min(least, LONGEST)):
            begin = self.add(body, begin)
        if most is c.MAXREPEAT or most > LONGEST:
            first, end = self.state(), self.state()
            self.free[begin] += [first, end]
            last = self.add(body, first)
            self.free[last] += [first, end]
            return end
        end = self.state()
        for _ in range(most - least):
            self.free[begin].append(end)
            begin = self.add(body, begin)
        self.free[begin].append(end)
        return end

    def steps(self) -> dict[int, dict[int, int]]:
        """Position -> the positions that may follow it, and in how many ways (two stands for more)."""
        return {here: self._ways(-here) for here in self.reads}

    def _ways(self, begin: int) -> dict[int, int]:
        """A path may come by a state twice, since an expression that may be empty is passed over in a second round."""
        found: dict[int, int] = defaultdict(int)
        open_: list[tuple[int, tuple[int, ...]]] = [(begin, ())]
        while open_:
            state, path = open_.pop()
            if state in self.reads:
                found[state] = min(2, found[state] + 1)
                continue
            if all(found.get(each) == 2 for each in self._within_reach(state)):
                continue  # nothing more can be learnt
            open_ += [(after, (*path, state)) for after in self.free[state] if path.count(after) < 2]
        return found

    def _within_reach(self, state: int) -> set[int]:
        if state not in self._reach:
            seen, open_ = set(), [state]
            while open_:
                each = open_.pop()
                if each not in seen:
                    seen.add(each)
                    open_ += [] if each in self.reads else self.free[each]
            self._reach[state] = {each for each in seen if each in self.reads}
        return self._reach[state]


def _takes(op: Any, said: Any, char: str, flags: int) -> bool:
    if flags & re.IGNORECASE:
        return any(_is(op, said, each, flags) for each in {char, char.lower(), char.upper()} if len(each) == 1)
    return _is(op, said, char, flags)


def _is(op: Any, said: Any, char: str, flags: int) -> bool:
    if op is c.LITERAL:
        return ord(char) == said
    if op is c.NOT_LITERAL:
        return ord(char) != said
    if op is c.ANY:
        return bool(flags & re.DOTALL) or char != "\n"
    if op is c.RANGE:
        return said[0] <= ord(char) <= said[1]
    if op is c.CATEGORY:
        if said in _OPPOSITES:
            return not _is(op, _OPPOSITES[said], char, flags)
        return _CATEGORIES[said](char) and (char.isascii() or not flags & re.ASCII)
    negated = bool(said) and said[0][0] is c.NEGATE
    return negated != any(_is(each, what, char, flags) for each, what in said if each is not c.NEGATE)


def is_hopeless(pattern: str, flags: int = 0) -> bool:
    tree = _parser.parse(pattern, flags)
    automaton = _Automaton(sorted({*_SAMPLES, *_named(tree)}), tree.state.flags)
    automaton.add(tree, automaton.state())
    steps, reads = automaton.steps(), automaton.reads
    loops = _circles({here: list(after) for here, after in steps.items()})
    if any(ways > 1 and loops.get(here) == loops.get(after, -1) and (here != after or after in steps[here])
           for here, followers in steps.items() for after, ways in followers.items()):  # fmt: skip
        return True
    pairs: dict[tuple[int, int], list[tuple[int, int]]] = {}
    open_ = [(here, here) for here in reads if any(loops[here] == loops[after] for after in steps[here])]
    while open_:
        pair = open_.pop()
        if pair in pairs:
            continue
        one, other = pair
        pairs[pair] = [
            (a, b)
            for a in steps[one]
            for b in steps[other]
            if loops[a] == loops[one] and loops[b] == loops[other] and reads[a] & reads[b]
        ]
        open_ += pairs[pair]
    circles = _circles(pairs)
    same = {circles[pair] for pair in pairs if pair[0] == pair[1]}
    return any(circles[pair] in same for pair in pairs if pair[0] != pair[1])


def _named(tree: Any) -> set[str]:
    """The characters that it speaks of, and their neighbours."""
    found = {int(number) for number in re.findall(r"(?:LITERAL|NOT_LITERAL) (\d+)", _dumped(tree))}
    for low, high in re.findall(r"RANGE \((\d+), (\d+)\)", _dumped(tree)):
        found |= {int(low), int(high)}
    return {chr(n) for number in found for n in (number - 1, number, number + 1) if 0 <= n < 0x110000}


def _dumped(tree: Any) -> str:
    return re.sub(r"\((LITERAL|NOT_LITERAL|RANGE), ", r"\1 ", repr(tree.data))


def _circles(edges: dict[Any, list[Any]]) -> dict[Any, int]:
    """Node -> the number of its strongly connected component (Tarjan, without recursion)."""
    index: dict[Any, int] = {}
    low: dict[Any, int] = {}
    number: dict[Any, int] = {}
    stack: list[Any] = []
    for root in list(edges):
        if root in index:
            continue
        work = [(root, iter(edges[root]))]
        index[root] = low[root] = len(index)
        stack.append(root)
        while work:
            node, after = work[-1]
            for each in after:
                if each not in index:
                    index[each] = low[each] = len(index)
                    stack.append(each)
                    work.append((each, iter(edges.get(each, ()))))
                    break
                if each not in number:
                    low[node] = min(low[node], index[each])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    while True:
                        each = stack.pop()
                        number[each] = index[node]
                        if each == node:
                            break
    return number
