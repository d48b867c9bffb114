"""Formulas as immutable values, and the few operations the rules need.

Contract: formulas are closed unless a function says otherwise, and every domain has at least one element. Two formulas
are equal (`same`) up to bound names and up to order, nesting and repetition of ∧. Nothing here reads text.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class Var:
    name: str


@dataclass(frozen=True, slots=True)
class Const:
    name: str


Term = Var | Const


class _Node:
    """A formula remembers its hash and its canonical form: both are asked for at every step."""

    __slots__ = ("_canonical", "_hash")
    _canonical: Formula
    _hash: int

    def __hash__(self) -> int:
        try:
            return self._hash
        except AttributeError:
            value = hash((type(self), *(getattr(self, name) for name in self.__slots__)))
            object.__setattr__(self, "_hash", value)
            return value


@dataclass(frozen=True, slots=True)
class Atom(_Node):
    predicate: str
    args: tuple[Term, ...]
    __hash__ = _Node.__hash__


@dataclass(frozen=True, slots=True)
class Not(_Node):
    body: Formula
    __hash__ = _Node.__hash__


@dataclass(frozen=True, slots=True)
class And(_Node):
    parts: tuple[Formula, ...]
    __hash__ = _Node.__hash__


@dataclass(frozen=True, slots=True)
class Implies(_Node):
    antecedent: Formula
    consequent: Formula
    __hash__ = _Node.__hash__


@dataclass(frozen=True, slots=True)
class Forall(_Node):
    var: Var
    body: Formula
    __hash__ = _Node.__hash__


Formula = Atom | Not | And | Implies | Forall
Substitution = Mapping[Var, Term]


def complement(formula: Formula) -> Formula:
    """¬A for A, and A for ¬A."""
    return formula.body if isinstance(formula, Not) else Not(formula)


def conjuncts(formula: Formula) -> tuple[Formula, ...]:
    """The parts of a conjunction with nesting undone; a formula that is none is its own single part."""
    if not isinstance(formula, And):
        return (formula,)
    return tuple(leaf for part in formula.parts for leaf in conjuncts(part))


def conjunction(parts: Sequence[Formula]) -> Formula:
    return parts[0] if len(parts) == 1 else And(tuple(parts))


def quantify(variables: Sequence[Var], body: Formula) -> Formula:
    for var in reversed(variables):
        body = Forall(var, body)
    return body


def strip_foralls(formula: Formula) -> tuple[tuple[Var, ...], Formula]:
    """The variables of the leading ∀s, outermost first, and what stands under them.

    An inner ∀ that binds a name again would shadow the outer one; such a prefix ends before it.
    """
    variables: list[Var] = []
    while isinstance(formula, Forall) and formula.var not in variables:
        variables.append(formula.var)
        formula = formula.body
    return tuple(variables), formula


def substitute(formula: Formula, binding: Substitution) -> Formula:
    """Replace free variables. The terms put in must not be captured: constants, or variables bound nowhere inside."""
    match formula:
        case Atom(predicate, args):
            return Atom(predicate, tuple(binding.get(a, a) if isinstance(a, Var) else a for a in args))
        case Not(body):
            return Not(substitute(body, binding))
        case And(parts):
            return And(tuple(substitute(part, binding) for part in parts))
        case Implies(antecedent, consequent):
            return Implies(substitute(antecedent, binding), substitute(consequent, binding))
        case Forall(var, body):
            return Forall(var, substitute(body, {v: t for v, t in binding.items() if v != var}))


def constants(formula: Formula) -> frozenset[Const]:
    match formula:
        case Atom(_, args):
            return frozenset(a for a in args if isinstance(a, Const))
        case Not(body) | Forall(_, body):
            return constants(body)
        case And(parts):
            return frozenset().union(*map(constants, parts))
        case Implies(antecedent, consequent):
            return constants(antecedent) | constants(consequent)


def canonical(formula: Formula) -> Formula:
    """The representative of a formula's class under `same`: bound names by depth, ∧ flat, sorted, without repeats."""
    try:
        return formula._canonical
    except AttributeError:
        found = _sorted(_rename(formula, "", 0, {}))
        object.__setattr__(formula, "_canonical", found)
        return found


def _sorted(formula: Formula) -> Formula:
    match formula:
        case Atom():
            return formula
        case Not(body):
            return Not(_sorted(body))
        case And():
            return conjunction(sorted({_sorted(part) for part in conjuncts(formula)}, key=repr))
        case Implies(antecedent, consequent):
            return Implies(_sorted(antecedent), _sorted(consequent))
        case Forall(var, body):
            return Forall(var, _sorted(body))


def same(left: Formula, right: Formula) -> bool:
    return left == right or canonical(left) == canonical(right)


@lru_cache(maxsize=1 << 17)
def rename_apart(formula: Formula, tag: str) -> Formula:
    """The same closed formula with its bound variables named by depth and `tag`, no name bound twice on a path."""
    return _rename(formula, tag, 0, {})


def _rename(formula: Formula, tag: str, depth: int, names: Substitution) -> Formula:
    # All old names are replaced at once, in the atoms, so that a new name can capture none of them.
    match formula:
        case Atom():
            return substitute(formula, names) if names else formula
        case Not(body):
            return Not(_rename(body, tag, depth, names))
        case And(parts):
            return And(tuple(_rename(part, tag, depth, names) for part in parts))
        case Implies(antecedent, consequent):
            return Implies(_rename(antecedent, tag, depth, names), _rename(consequent, tag, depth, names))
        case Forall(var, body):
            fresh = Var(f"{_name(depth)}#{tag}")
            return Forall(fresh, _rename(body, tag, depth + 1, {**names, var: fresh}))


def match_formula(
    pattern: Formula, target: Formula, variables: Collection[Var], rigid: Collection[Var] = ()
) -> Iterator[dict[Var, Term]]:
    """Every way to bind `variables` so that the pattern becomes the same formula as the target (one-way matching).

    A variable may be bound to a constant or to a variable in `rigid`, never to one bound inside the target.
    Conjunctions match as sets of parts with every part used.
    """
    for binding in _match(pattern, target, frozenset(variables), frozenset(rigid), {}):
        if same(substitute(pattern, binding), target):
            yield binding


def _match(
    pattern: Formula, target: Formula, variables: frozenset[Var], rigid: frozenset[Var], binding: dict[Var, Term]
) -> Iterator[dict[Var, Term]]:
    match pattern, target:
        case Atom(name, args), Atom(other, terms) if name == other and len(args) == len(terms):
            bound = _bind(args, terms, variables, rigid, binding)
            if bound is not None:
                yield bound
        case Not(body), Not(other_body):
            yield from _match(body, other_body, variables, rigid, binding)
        case And(), And():
            parts, targets = (tuple(dict.fromkeys(conjuncts(f))) for f in (pattern, target))
            yield from _match_parts(parts, targets, variables, rigid, binding)
        case Implies(a, b), Implies(c, d):
            for bound in _match(a, c, variables, rigid, binding):
                yield from _match(b, d, variables, rigid, bound)
        case Forall(var, body), Forall(other_var, other_body):
            same_name = substitute(other_body, {other_var: var}) if other_var != var else other_body
            yield from _match(body, same_name, variables - {var}, rigid - {var}, binding)


def _match_parts(
    patterns: Sequence[Formula],
    targets: Sequence[Formula],
    variables: frozenset[Var],
    rigid: frozenset[Var],
    binding: dict[Var, Term],
) -> Iterator[dict[Var, Term]]:
    if not patterns:
        yield binding
        return
    for target in targets:
        for bound in _match(patterns[0], target, variables, rigid, binding):
            yield from _match_parts(patterns[1:], targets, variables, rigid, bound)


def _bind(
    args: Sequence[Term],
    terms: Sequence[Term],
    variables: frozenset[Var],
    rigid: frozenset[Var],
    binding: dict[Var, Term],
) -> dict[Var, Term] | None:
    bound = dict(binding)
    for arg, term in zip(args, terms, strict=True):
        if isinstance(arg, Var) and arg in variables:
            if isinstance(term, Var) and term not in rigid:
                return None
            if bound.setdefault(arg, term) != term:
                return None
        elif arg != term:
            return None
    return bound


def _name(depth: int) -> str:
    """What a variable is called that stands under `depth` other quantifiers."""
    return "xyzuvw"[depth] if depth < 6 else f"x{depth}"


@lru_cache(maxsize=1 << 17)
def show(formula: Formula) -> str:
    """First-order notation, bound variables named by depth: `∀x (wumpus(x) → ¬red(x))`."""
    return _show(rename_apart(formula, ""))


def _show(formula: Formula) -> str:
    match formula:
        case Atom(predicate, args):
            return f"{predicate}({', '.join(a.name.partition('#')[0] for a in args)})"
        case Not(body):
            return f"¬{_wrapped(body)}"
        case And(parts):
            return " ∧ ".join(_wrapped(part) for part in parts)
        case Implies(antecedent, consequent):
            return f"{_wrapped(antecedent)} → {_wrapped(consequent)}"
        case Forall(var, body):
            return f"∀{var.name.partition('#')[0]} {_wrapped(body)}"


def _wrapped(formula: Formula) -> str:
    shown = _show(formula)
    return f"({shown})" if isinstance(formula, And | Implies) else shown
