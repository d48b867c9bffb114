"""Formulas as immutable values, and the few operations the rules need.

Contract: formulas are closed unless a function says otherwise, and every domain has at least one element. A ⊕ of
several parts holds when an odd number of them do. Two formulas are equal (`same`) up to bound names, up to order and
nesting of ∧, ∨ and ⊕, up to repetition in ∧ and ∨, and up to the order of ↔. Nothing here reads text.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import cast


@dataclass(frozen=True, slots=True)
class Var:
    name: str


@dataclass(frozen=True, slots=True)
class Const:
    name: str


Term = Var | Const


class _Node:
    """A formula remembers its hash, its canonical form and its measure: all are asked for at every step."""

    __slots__ = ("_canonical", "_hash", "_measure")
    _canonical: Formula
    _hash: int
    _measure: Measure

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
class Or(_Node):
    parts: tuple[Formula, ...]
    __hash__ = _Node.__hash__


@dataclass(frozen=True, slots=True)
class Xor(_Node):
    parts: tuple[Formula, ...]
    __hash__ = _Node.__hash__


@dataclass(frozen=True, slots=True)
class Implies(_Node):
    antecedent: Formula
    consequent: Formula
    __hash__ = _Node.__hash__


@dataclass(frozen=True, slots=True)
class Iff(_Node):
    left: Formula
    right: Formula
    __hash__ = _Node.__hash__


@dataclass(frozen=True, slots=True)
class Forall(_Node):
    var: Var
    body: Formula
    __hash__ = _Node.__hash__


@dataclass(frozen=True, slots=True)
class Exists(_Node):
    var: Var
    body: Formula
    __hash__ = _Node.__hash__


Formula = Atom | Not | And | Or | Xor | Implies | Iff | Forall | Exists
Substitution = Mapping[Var, Term]

_SIGNS = {And: "∧", Or: "∨", Xor: "⊕", Implies: "→", Iff: "↔"}
_VARIABLE_NAMES = (*"xyzuvw", *(f"x{depth}" for depth in range(1, 1000)))
"""What a variable is called that stands under so many other quantifiers. Read formulas are nested far less deeply."""

MOST_COMPARISONS = 20_000
"""What one matching may take before it gives up; those of real proofs take tens."""

COST_OF_A_WHOLE = 200
"""In comparisons, of a way to match all parts: whole formulas are compared then."""

EQUALS = "="
"""The predicate of `a = b`. No rule knows what it means; entailment does."""


class TooComplex(Exception):
    """A question about formulas has more possibilities than are tried."""


@dataclass(frozen=True, slots=True)
class Measure:
    """How deep a formula is nested (an atom is 1), and how many nodes and how many two-sided ↔ and ⊕ it has."""

    depth: int = 1
    size: int = 1
    parities: int = 0


_ATOM = Measure()


def measure(formula: Formula) -> Measure:
    """Depth and size, of a formula of any depth. Constant work where the parts have been measured before."""
    if hasattr(formula, "_measure"):
        return formula._measure
    pending = [formula]
    while pending:
        inner = parts_of(pending[-1])
        unmeasured = [part for part in inner if not hasattr(part, "_measure")]
        if unmeasured:
            pending += unmeasured
            continue
        found = _measured(pending[-1], [part._measure for part in inner]) if inner else _ATOM
        object.__setattr__(pending.pop(), "_measure", found)
    return formula._measure


def _measured(formula: Formula, inner: Sequence[Measure]) -> Measure:
    here = len(inner) - 1 if isinstance(formula, Iff | Xor) else 0
    return Measure(
        1 + max(part.depth for part in inner),
        1 + sum(part.size for part in inner),
        here + sum(part.parities for part in inner),
    )


def parts_of(formula: Formula) -> tuple[Formula, ...]:
    """The formulas directly inside a formula."""
    match formula:
        case Atom():
            return ()
        case Not(body) | Forall(_, body) | Exists(_, body):
            return (body,)
        case And(parts) | Or(parts) | Xor(parts):
            return parts
        case Implies(left, right) | Iff(left, right):
            return (left, right)


def rebuilt(formula: Formula, parts: Sequence[Formula]) -> Formula:
    """The same connective or quantifier over other parts; an atom is itself."""
    match formula:
        case Atom():
            return formula
        case Not():
            return Not(parts[0])
        case Forall(var) | Exists(var):
            return type(formula)(var, parts[0])
        case And() | Or() | Xor():
            return type(formula)(tuple(parts))
        case Implies() | Iff():
            return type(formula)(parts[0], parts[1])


def complement(formula: Formula) -> Formula:
    """¬A for A, and A for ¬A."""
    return formula.body if isinstance(formula, Not) else Not(formula)


def flat_parts(formula: Formula, kind: type[And] | type[Or] | type[Xor]) -> tuple[Formula, ...]:
    """The parts of a ∧, ∨ or ⊕ with nesting undone; a formula that is of another kind is its own single part."""
    if not isinstance(formula, kind):
        return (formula,)
    return tuple(leaf for part in formula.parts for leaf in flat_parts(part, kind))


def conjuncts(formula: Formula) -> tuple[Formula, ...]:
    return flat_parts(formula, And)


def disjuncts(formula: Formula) -> tuple[Formula, ...]:
    return flat_parts(formula, Or)


def joined(kind: type[And] | type[Or] | type[Xor], parts: Sequence[Formula]) -> Formula:
    """The parts under one ∧, ∨ or ⊕; a single part is itself."""
    return parts[0] if len(parts) == 1 else kind(tuple(parts))


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
        case Forall(var) | Exists(var) if var in binding:
            binding = {v: t for v, t in binding.items() if v != var}
    return rebuilt(formula, [substitute(part, binding) for part in parts_of(formula)])


def generalise(formula: Formula, constant: Const, var: Var) -> Formula:
    """Put a variable for every occurrence of a constant. The variable must not be bound inside."""
    if isinstance(formula, Atom):
        return Atom(formula.predicate, tuple(var if a == constant else a for a in formula.args))
    return rebuilt(formula, [generalise(part, constant, var) for part in parts_of(formula)])


def atoms(formula: Formula) -> Iterator[Atom]:
    """Every atom, in the order in which it stands."""
    if isinstance(formula, Atom):
        yield formula
    for part in parts_of(formula):
        yield from atoms(part)


def constants(formula: Formula) -> frozenset[Const]:
    return frozenset(a for atom in atoms(formula) for a in atom.args if isinstance(a, Const))


def canonical(formula: Formula) -> Formula:
    """The representative of a formula's class under `same`: names by depth; ∧, ∨ flat, sorted, each part once."""
    try:
        return formula._canonical
    except AttributeError:
        found = _sorted(_rename(formula, lambda depth: f"{_VARIABLE_NAMES[depth]}#", 0, {}))
        object.__setattr__(formula, "_canonical", found)
        return found


def _sorted(formula: Formula) -> Formula:
    inner = [_sorted(part) for part in parts_of(formula)]
    match formula:
        case And() | Or():
            kind = type(formula)
            return joined(kind, sorted({leaf for part in inner for leaf in flat_parts(part, kind)}, key=_spelled))
        case Xor():
            return joined(Xor, sorted((leaf for part in inner for leaf in flat_parts(part, Xor)), key=_spelled))
        case Iff():
            return Iff(*sorted(inner, key=_spelled))
    return rebuilt(formula, inner)


def _spelled(formula: Formula) -> str:
    """A text that orders formulas. Formulas that are not equal have different ones."""
    match formula:
        case Atom(predicate, args):
            return f"{predicate!r}{[(isinstance(arg, Var), arg.name) for arg in args]}"
        case Forall(var, body) | Exists(var, body):
            return f"{type(formula).__name__}({var.name!r},{_spelled(body)})"
    return f"{type(formula).__name__}({','.join(map(_spelled, parts_of(formula)))})"


def same(left: Formula, right: Formula) -> bool:
    return left == right or canonical(left) == canonical(right)


@lru_cache(maxsize=1 << 17)
def rename_apart(formula: Formula, tag: str) -> Formula:
    """The same closed formula with its bound variables named by depth and `tag`, no name bound twice on a path."""
    return _rename(formula, lambda depth: f"{_VARIABLE_NAMES[depth]}#{tag}", 0, {})


def _rename(formula: Formula, name: Callable[[int], str], depth: int, names: Substitution) -> Formula:
    # All old names are replaced at once, in the atoms, so that a new name can capture none of them.
    match formula:
        case Atom():
            return substitute(formula, names) if names else formula
        case Forall(var, body) | Exists(var, body):
            fresh = Var(name(depth))
            return type(formula)(fresh, _rename(body, name, depth + 1, {**names, var: fresh}))
    return rebuilt(formula, [_rename(part, name, depth, names) for part in parts_of(formula)])


def match_formula(
    pattern: Formula, target: Formula, variables: Collection[Var], rigid: Collection[Var] = ()
) -> Iterator[dict[Var, Term]]:
    """Every way to bind `variables` so that the pattern becomes the same formula as the target (one-way matching).

    A variable may be bound to a constant or to a variable in `rigid`, never to one bound inside the target.
    ∧, ∨ and ⊕ match part by part in any order, ↔ both ways round.
    Errors: TooComplex after `MOST_COMPARISONS` comparisons of parts.
    """
    matcher = _Matcher()
    for binding in matcher.match(pattern, canonical(target), frozenset(variables), frozenset(rigid), {}):
        matcher.spend(COST_OF_A_WHOLE)
        if same(substitute(pattern, binding), target):
            yield binding


class _Matcher:
    """One search for bindings, which gives up after a number of comparisons. What it finds is checked by the caller."""

    def __init__(self) -> None:
        self.left = MOST_COMPARISONS

    def spend(self, comparisons: int) -> None:
        self.left -= comparisons
        if self.left < 0:
            raise TooComplex("these formulas can be matched in too many ways")

    def match(
        self,
        pattern: Formula,
        target: Formula,
        variables: frozenset[Var],
        rigid: frozenset[Var],
        binding: dict[Var, Term],
    ) -> Iterator[dict[Var, Term]]:
        self.spend(1)
        match pattern, target:
            case Atom(name, args), Atom(other, terms) if name == other and len(args) == len(terms):
                bound = _bind(args, terms, variables, rigid, binding)
                if bound is not None:
                    yield bound
            case (And() | Or(), _) | (Xor(), Xor()):
                # P(x) ∧ P(y) is P(a) where both are a: any target is a ∧ and a ∨ of one part.
                kind = cast("type[And | Or | Xor]", type(pattern))
                parts, targets = (tuple(dict.fromkeys(flat_parts(f, kind))) for f in (pattern, target))
                yield from self._in_any_order(parts, targets, variables, rigid, binding)
            case (Not(), Not()) | (Implies(), Implies()):
                yield from self._in_order(parts_of(pattern), parts_of(target), variables, rigid, binding)
            case Iff(), Iff(left, right):
                yield from self._in_order(parts_of(pattern), (left, right), variables, rigid, binding)
                yield from self._in_order(parts_of(pattern), (right, left), variables, rigid, binding)
            case (Forall(var, body), Forall(other_var, inner)) | (Exists(var, body), Exists(other_var, inner)):
                same_name = substitute(inner, {other_var: var}) if other_var != var else inner
                yield from self.match(body, same_name, variables - {var}, rigid - {var}, binding)

    def _in_order(
        self,
        patterns: Sequence[Formula],
        targets: Sequence[Formula],
        variables: frozenset[Var],
        rigid: frozenset[Var],
        binding: dict[Var, Term],
    ) -> Iterator[dict[Var, Term]]:
        if not patterns:
            yield binding
            return
        for bound in self.match(patterns[0], targets[0], variables, rigid, binding):
            yield from self._in_order(patterns[1:], targets[1:], variables, rigid, bound)

    def _in_any_order(
        self,
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
            for bound in self.match(patterns[0], target, variables, rigid, binding):
                yield from self._in_any_order(patterns[1:], targets, variables, rigid, bound)


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


@lru_cache(maxsize=1 << 17)
def show(formula: Formula) -> str:
    """First-order notation, bound variables named by depth: `∀x (wumpus(x) → ¬red(x))`. `fol.parse` reads it back."""
    taken = {constant.name for constant in constants(formula)} | {atom.predicate for atom in atoms(formula)}
    free = tuple(islice((name for name in _VARIABLE_NAMES if name not in taken), measure(formula).depth))
    return _show(_rename(formula, lambda depth: free[depth], 0, {}))


def _show(formula: Formula) -> str:
    match formula:
        case Atom(predicate, args) if predicate == EQUALS:
            return f"{_bare(args[0])} = {_bare(args[1])}"
        case Atom(predicate, args):
            return f"{predicate}({', '.join(map(_bare, args))})" if args else predicate
        case Not(body):
            return f"¬{_wrapped(body)}"
        case Forall(var, body):
            return f"∀{_bare(var)} {_wrapped(body)}"
        case Exists(var, body):
            return f"∃{_bare(var)} {_wrapped(body)}"
    return f" {_SIGNS[type(formula)]} ".join(map(_wrapped, parts_of(formula)))


def _wrapped(formula: Formula) -> str:
    shown = _show(formula)
    bare = isinstance(formula, Not | Forall | Exists) or (isinstance(formula, Atom) and formula.predicate != EQUALS)
    return shown if bare else f"({shown})"


def _bare(term: Term) -> str:
    """A term's name, without the tag of a variable that was set apart."""
    return term.name.partition("#")[0]
