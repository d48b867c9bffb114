"""What a rule of inference is: its name, its arguments, what it needs and gives, in words and as a function.

Contract: `Rule.apply` gives every formula that the rule yields from exactly these lines, in this use; a step is valid
when its claim is one of them, or when there is one only and nothing is claimed. A rule that does not apply raises
Refusal with the reason. What the lines rest on is `proof.Proof`'s: a rule only says which of its arguments are
assumptions that it discharges, and from which lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sokrates.logic.formulas import Const, Formula, Iff, Implies, Var, canonical, show, strip_foralls
from sokrates.logic.verdict import Reason, Refusal


class Use(NamedTuple):
    """One use of a rule."""

    lines: Sequence[Formula]
    """The cited lines, in the order of the arguments."""
    claim: Formula | None
    constants: frozenset[Const]
    """Those of the problem: among them an instance is chosen where nothing is claimed."""
    fixed: frozenset[Const]
    """Those of the premises, and of the assumptions that stay open: they stand for no arbitrary thing."""


class Discharge(NamedTuple):
    """The assumption at one place of the arguments is taken from what the lines at others rest on."""

    assumption: int
    over: tuple[int, ...]


class Example(NamedTuple):
    """A worked example: premises in first-order notation, and steps of (option, lines, claim), the rule's own last."""

    premises: tuple[str, ...]
    steps: tuple[tuple[str, tuple[int, ...], str], ...]


def nothing_discharged(arguments: int) -> tuple[Discharge, ...]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    name: str
    arguments: tuple[str, ...]
    """The lines it cites, as schemes; those that begin with ASSUME are assumptions that it discharges."""
    least: int
    most: int
    gives: str
    needs: str = ""
    """Side conditions and what else may be cited, in words."""
    sentence: str
    """What it says, for people."""
    example: Example
    apply: Callable[[Use], list[Formula]]
    discharges: Callable[[int], tuple[Discharge, ...]] = nothing_discharged
    """For so many arguments, which of them are discharged assumptions."""
    fits_any_line: bool = False
    """Whether there is, for any lines, a claim to which it leads."""


def either_order(lines: Sequence[Formula]) -> tuple[tuple[Formula, Formula], ...]:
    first, second = lines
    return ((first, second), (second, first))


def universal_implication(formula: Formula) -> tuple[tuple[Var, ...], Implies] | None:
    """The leading ∀s and the implication under them."""
    variables, body = strip_foralls(formula)
    return (variables, body) if isinstance(body, Implies) else None


def universal_biconditional(formula: Formula) -> tuple[tuple[Var, ...], Iff] | None:
    """The leading ∀s and the ↔ under them."""
    variables, body = strip_foralls(formula)
    return (variables, body) if isinstance(body, Iff) else None


def distinct(formulas: Iterable[Formula]) -> list[Formula]:
    """Without those that are the same as an earlier one."""
    kept: dict[Formula, Formula] = {}
    for formula in formulas:
        kept.setdefault(canonical(formula), formula)
    return list(kept.values())


def among(formula: Formula, others: Iterable[Formula]) -> bool:
    """Whether a formula is the same as one of the others."""
    key = canonical(formula)
    return any(canonical(other) == key for other in others)


def listed(formulas: Sequence[Formula]) -> str:
    return " nor ".join(show(f) for f in formulas)


def wrong_shape(name: str, needed: str, lines: Sequence[Formula]) -> Refusal:
    return Refusal(Reason.WRONG_SHAPE, f"{name} needs {needed}, not {listed(lines)}")
