"""The texts that may stand behind an action's label, as an automaton over characters.

Contract: from the label's colon on, a path spells a blank, an action exactly as `traces.text.render_action` writes it,
and what makes it an action of its own: the next thought's label, or behind CONCLUDE the final answer's, or the end.
A path's last node says where in a text (`labels`) the free writing goes on. Every node leads to such an end.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

from sokrates.logic.rules import CONCLUDE, RULES
from sokrates.traces.text import render_action

Action = tuple[str, tuple[int, ...]]
"""An option and its arguments."""

_OPENS, _CLOSES = ' <Option type="', ']" />'
SHARED = _OPENS
"""How every action begins."""
_MOST_DIGITS = 3


class Mask(NamedTuple):
    """Which tokens may come next: only these, or with `allow` false all but these. No token twice."""

    token_ids: tuple[int, ...]
    allow: bool


class Free(NamedTuple):
    """A place in free text, and whether the trace has concluded, behind which no action may stand."""

    place: str
    concluded: bool = False


class Node:
    """A state. `ends`: the completion may end here; `free`: the action has ended, and writing is free from here on."""

    __slots__ = ("ends", "free", "mask", "next")

    def __init__(self, free: Free | None = None) -> None:
        self.next: dict[str, Node] = {}
        self.free = free
        self.ends = False
        self.mask: Mask | None = None
        """Kept here by who computes it."""

    def spell(self, text: str) -> Node:
        """The node behind a text, made where it is missing."""
        node = self
        for character in text:
            node = node.next.setdefault(character, Node())
        return node

    def join(self, text: str, target: Node) -> None:
        """Let a text lead to a node."""
        self.spell(text[:-1]).next[text[-1]] = target


def grammar() -> Node:
    """Every well-formed action: a known option, a number of arguments that it takes, each of at most 3 digits."""
    root = Node()
    arguments: dict[tuple[int, int], Node] = {}
    for rule in RULES.values():
        taken = (rule.least, rule.most)
        if taken not in arguments:
            arguments[taken] = _arguments(*taken, _after_step())
        root.join(f'{_OPENS}{rule.name}" args="[', arguments[taken])
    concluding = root.spell(f'{_OPENS}{CONCLUDE}" args="[')
    for answer in "012":
        concluding.spell(answer).join(_CLOSES, _after_conclusion())
    return root


def _arguments(least: int, most: int, end: Node) -> Node:
    """A list of line numbers from behind its bracket to `end`."""
    first = node = Node()
    for count in range(most + 1):
        if count:
            node = _number(node, count >= least, count < most, end)
        elif least == 0:
            node.join(_CLOSES, end)
    return first


def _number(before: Node, may_close: bool, may_go_on: bool, end: Node) -> Node:
    """A number behind `before`; the node at which the next one begins."""
    following = Node()
    digits = [Node() for _ in range(_MOST_DIGITS)]
    for node in digits:
        if may_close:
            node.join(_CLOSES, end)
        if may_go_on:
            node.join(", ", following)
    zero = Node()
    zero.next = dict(digits[-1].next)
    before.next.update(dict.fromkeys("123456789", digits[0]), **{"0": zero})
    for node, longer in pairwise(digits):
        node.next.update(dict.fromkeys("0123456789", longer))
    return following


def one_of(actions: Iterable[Action]) -> Node:
    """Exactly these actions."""
    root, step, conclusion = Node(), _after_step(), _after_conclusion()
    for option, args in actions:
        root.join(f" {render_action(option, args)}", conclusion if option == CONCLUDE else step)
    return root


def _after_step() -> Node:
    node = Node()
    node.join("\nThought:", Node(Free("\nthought:")))
    return node


def _after_conclusion() -> Node:
    """The end of the text, the final answer, or one more thought, before which the completion ends."""
    node = Node()
    line, empty = node.spell("\n"), node.spell("\n\n")
    line.join("Thought:", Node(Free("\nthought:", concluded=True)))
    for begins in (line, empty):
        begins.join("Final Answer:", Node(Free("\nfinal answer:", concluded=True)))
    for end in (node, line, empty):
        end.ends = True
    return node


def characters() -> str:
    """All that paths are made of."""
    return "".join([_OPENS, *RULES, CONCLUDE, '" args="[', "0123456789, ", _CLOSES, "\nThought:Final Answer:"])
