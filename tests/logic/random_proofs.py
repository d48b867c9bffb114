"""Random steps over a proof: proposals that a rule often accepts, so or nearly so."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from sokrates.logic.formulas import (
    And,
    Atom,
    Const,
    Exists,
    Forall,
    Formula,
    Iff,
    Implies,
    Or,
    Var,
    Xor,
    canonical,
    complement,
    constants,
    parts_of,
    rebuilt,
    rename_apart,
    strip_foralls,
    substitute,
)
from sokrates.logic.proof import Proof
from sokrates.logic.rules import RULES, Use
from sokrates.logic.verdict import Refusal, Verdict
from tests.logic import random_logic

FRESH = (Const("d"), Const("e"))
EVERY_CONSTANT = (*random_logic.CONSTANTS, *FRESH)

Proposal = tuple[list[int], Formula | None]


def proved(proof: Proof) -> list[int]:
    return [number for number, line in enumerate(proof.lines) if line is not None]


def lines_of(proof: Proof, *kinds: type) -> list[int]:
    return [number for number in proved(proof) if isinstance(proof.lines[number], kinds)]


def assumed(proof: Proof) -> list[int]:
    return [number for number in proved(proof) if number in proof.rests[number]]


def plan(rng: random.Random, proof: Proof) -> list[tuple[str, list[int], Formula | None]]:
    """Several steps that belong together, as a discharging rule needs them; each may be spoilt by a wrong line."""
    plans = (_plan_of_cases, _plan_of_a_witness, _plan_of_an_arbitrary_thing, _plan_of_a_refutation)
    steps = rng.choice(plans)(rng, proof)
    return [(option, [_spoilt(rng, proof, number) for number in args], claim) for option, args, claim in steps]


def _spoilt(rng: random.Random, proof: Proof, number: int) -> int:
    return rng.randrange(len(proof.lines)) if rng.random() < 0.04 else number


def _plan_of_cases(rng: random.Random, proof: Proof) -> list[tuple[str, list[int], Formula | None]]:
    """Each side of an alternative assumed, and from each the same disjunction, or what a line says anyway."""
    found = lines_of(proof, Or, Xor)
    if not found:
        return []
    line, next_line = rng.choice(found), len(proof.lines)
    alternative = proof.lines[line]
    assert alternative is not None
    sides = list(parts_of(alternative))[: rng.choice((1, 9, 9, 9))]
    goal = Or((*sides, *parts_of(alternative)[: rng.choice((0, 1))]))
    steps: list[tuple[str, list[int], Formula | None]] = []
    args = [line]
    for side in sides:
        steps += [("ASSUME", [], side), ("OR_INTRO", [next_line + len(steps)], goal)]
        args += [next_line + len(steps) - 2, next_line + len(steps) - 1]
    return [*steps, ("CASE_SPLIT", args, goal if rng.random() < 0.8 else None)]


def _plan_of_a_witness(rng: random.Random, proof: Proof) -> list[tuple[str, list[int], Formula | None]]:
    """An instance of an ∃ assumed, something made of it, and the instance discharged."""
    found = lines_of(proof, Exists)
    if not found:
        return []
    line, number = rng.choice(found), len(proof.lines)
    opened = rename_apart(proof.lines[line], "t")  # type: ignore[arg-type]
    assert isinstance(opened, Exists)
    witness = rng.choice((*FRESH, *FRESH, *EVERY_CONSTANT))
    instance = substitute(opened.body, {opened.var: witness})
    other = random_logic.literal(rng, (Var("g"),))
    middle = rng.choice(
        [
            ("EXIST_GENERALIZATION", [number], Exists(Var("g"), _some_places(rng, instance, Var("g")))),
            ("OR_INTRO", [number], Or((instance, substitute(other, {Var("g"): witness})))),
            ("AND_INTRO", [number, rng.choice(proved(proof))], None),
        ]
    )
    return [("ASSUME", [], instance), middle, ("EXIST_INSTANTIATION", [line, number, number + 1], None)]


def _plan_of_an_arbitrary_thing(rng: random.Random, proof: Proof) -> list[tuple[str, list[int], Formula | None]]:
    """Something assumed of a thing, something made of it, the assumption discharged or not, and generalised."""
    number, thing = len(proof.lines), rng.choice((*FRESH, *FRESH, *EVERY_CONSTANT))
    supposed = substitute(random_logic.literal(rng, (Var("g"),)), {Var("g"): thing})
    wider = Or((supposed, random_logic.literal(rng, ())))
    steps: list[tuple[str, list[int], Formula | None]] = [
        ("ASSUME", [], supposed),
        ("OR_INTRO", [number], wider),
        ("CONDITIONAL_PROOF", [number, number + 1], None),
    ]
    general = Forall(Var("g"), _at_places(rng, Implies(supposed, wider), thing, Var("g"), 1))
    return [*steps, ("UNIV_GENERALIZATION", [number + rng.choice((1, 2, 2, 2))], rng.choice((general, None)))]


def _plan_of_a_refutation(rng: random.Random, proof: Proof) -> list[tuple[str, list[int], Formula | None]]:
    """The complement of a line assumed, joined with something or not, and refuted by the line."""
    line, number = rng.choice(proved(proof)), len(proof.lines)
    formula = proof.lines[line]
    assert formula is not None
    opposite = complement(formula)
    if rng.random() < 0.5:
        return [("ASSUME", [], opposite), ("CONTRADICTION", [number, line, number], None)]
    both = And((opposite, random_logic.literal(rng, ())))
    steps: list[tuple[str, list[int], Formula | None]] = [("ASSUME", [], both), ("AND_ELIM", [number], opposite)]
    return [*steps, ("CONTRADICTION", [number, number + 1, line], None)]


def tried(proof: Proof, option: str, args: Sequence[int], claim: Formula | None) -> Verdict:
    """The verdict on a step that is then taken back."""
    verdict = proof.step(option, args, claim)
    proof.take_back()
    return verdict


def proposal(rng: random.Random, proof: Proof, option: str) -> Proposal:
    """Lines for a rule and a claim, mostly such that the step is nearly valid or valid."""
    args = _arguments(rng, proof, option)
    return args, _claim(rng, proof, option, args)


def _arguments(rng: random.Random, proof: Proof, option: str) -> list[int]:
    everything, suppositions = proved(proof), assumed(proof)
    if option == "ASSUME":
        return []
    if option in ("CONDITIONAL_PROOF", "CONTRADICTION") and suppositions and rng.random() < 0.9:
        assumption = rng.choice(suppositions)
        if option == "CONDITIONAL_PROOF":
            return [assumption, _resting(rng, proof, assumption)]
        return [assumption, *_clash(rng, proof, assumption)]
    if option == "EXIST_INSTANTIATION" and (some := lines_of(proof, Exists)) and rng.random() < 0.95:
        line = rng.choice(some)
        assumption = _supposed(rng, proof, lambda f: _is_instance(f, proof.lines[line]))
        return [line, assumption, _resting(rng, proof, assumption)]
    if option == "CASE_SPLIT" and (some := lines_of(proof, Or, Xor)) and rng.random() < 0.95:
        return _cases(rng, proof, rng.choice(some))
    rule = RULES[option]
    count = rule.least if rng.random() < 0.9 else rng.randint(rule.least, min(rule.most, rule.least + 2))
    args = [rng.choice(everything) for _ in range(count)]
    for _ in range(60):
        if _applies(proof, option, args):
            break
        args = [rng.choice(everything) for _ in range(count)]
    return args


def _resting(rng: random.Random, proof: Proof, assumption: int) -> int:
    """A line that rests on an assumption, mostly."""
    resting = [number for number in proved(proof) if assumption in proof.rests[number]]
    return rng.choice(resting) if resting and rng.random() < 0.8 else rng.choice(proved(proof))


def _clash(rng: random.Random, proof: Proof, assumption: int) -> list[int]:
    """Two lines that contradict each other where there are any, mostly with one that rests on the assumption."""
    by_key = {proof.keys[number]: number for number in proved(proof)}
    numbers = proved(proof)
    rng.shuffle(numbers)
    numbers.sort(key=lambda number: assumption not in proof.rests[number])
    for number in numbers:
        line = proof.lines[number]
        assert line is not None
        other = by_key.get(canonical(complement(line)))
        if other is not None:
            return rng.sample([number, other], 2)
    return [rng.choice(numbers), rng.choice(numbers)]


def _supposed(rng: random.Random, proof: Proof, fits) -> int:
    """An assumption whose formula fits, or any line."""
    fitting = [number for number in assumed(proof) if fits(proof.lines[number])]
    return rng.choice(fitting or assumed(proof) or proved(proof))


def _is_instance(formula: Formula | None, whole: Formula | None) -> bool:
    assert isinstance(whole, Exists) and formula is not None
    opened = rename_apart(whole, "t")
    assert isinstance(opened, Exists)
    wanted = canonical(formula)
    return any(canonical(substitute(opened.body, {opened.var: c})) == wanted for c in EVERY_CONSTANT)


def _cases(rng: random.Random, proof: Proof, line: int) -> list[int]:
    alternative = proof.lines[line]
    assert alternative is not None
    sides = {
        canonical(side): _supposed(rng, proof, lambda f, s=side: canonical(f) == canonical(s))
        for side in parts_of(alternative)
    }
    key = proof.keys[rng.choice(proved(proof))]
    same = [number for number in proved(proof) if proof.keys[number] == key]
    args = [line]
    for assumption in sides.values():
        resting = [number for number in same if assumption in proof.rests[number]]
        args += [assumption, rng.choice(resting or same)]
    return args


def _applies(proof: Proof, option: str, args: Sequence[int]) -> bool:
    try:
        return bool(results(proof, option, args))
    except Refusal:
        return False


def results(proof: Proof, option: str, args: Sequence[int]) -> list[Formula]:
    """What a rule gives for lines where nothing is claimed."""
    cited = [line for number in args if (line := proof.lines[number]) is not None]
    return RULES[option].apply(Use(cited, None, frozenset(EVERY_CONSTANT), proof.theory.premise_constants))


def _claim(rng: random.Random, proof: Proof, option: str, args: Sequence[int]) -> Formula | None:
    """What the rule would give, so or in other words, or spoilt; or any formula; or no claim."""
    kind = rng.random()
    if kind < 0.08:
        return None
    if kind < 0.12:
        return random_logic.formula(rng, 2)
    natural = _natural_claim(rng, proof, option, args)
    return random_logic.tampered(rng, natural) if kind < 0.3 else random_logic.disguised(rng, natural)


def _natural_claim(rng: random.Random, proof: Proof, option: str, args: Sequence[int]) -> Formula:
    line = proof.lines[args[0]] if args else None
    match option:
        case "ASSUME":
            return _supposition(rng, proof)
        case "OR_INTRO" if line is not None:
            return rng.choice((Or, Or, Xor))((random_logic.formula(rng, 1), line))
        case "EXIST_GENERALIZATION" if line is not None:
            return Exists(Var("g"), _some_places(rng, rename_apart(line, "t"), Var("g")))
        case "UNIV_GENERALIZATION" if line is not None:
            return Forall(Var("g"), _some_places(rng, rename_apart(line, "t"), Var("g")))
        case "UNIV_INSTANTIATION" if line is not None:
            variables, body = strip_foralls(rename_apart(line, "t"))
            return substitute(body, {var: rng.choice(EVERY_CONSTANT) for var in variables})
    try:
        return rng.choice(results(proof, option, args))
    except (Refusal, IndexError):
        return random_logic.disguised(rng, proof.lines[rng.choice(proved(proof))])  # type: ignore[arg-type]


def _supposition(rng: random.Random, proof: Proof) -> Formula:
    """Something that a discharging rule may want."""
    lines = [line for number in proved(proof) if (line := proof.lines[number]) is not None]
    wanted = list(_wanted(rng, lines))
    return rng.choice(wanted) if wanted and rng.random() < 0.85 else random_logic.formula(rng, 1)


def _wanted(rng: random.Random, lines: Sequence[Formula]) -> Iterator[Formula]:
    for line in lines:
        match line:
            case Exists():
                opened = rename_apart(line, "t")
                yield substitute(opened.body, {opened.var: rng.choice((*FRESH, *EVERY_CONSTANT))})
            case Or(parts) | Xor(parts):
                yield from parts
            case Implies(antecedent, _):
                yield antecedent
            case Iff(left, _):
                yield left
    yield complement(rng.choice(lines))


def _some_places(rng: random.Random, formula: Formula, var: Var) -> Formula:
    """A variable put for a constant, at all of its places or at some."""
    standing = sorted(constants(formula), key=lambda c: (c not in FRESH, c.name))
    if not standing:
        return formula
    chosen = standing[0] if rng.random() < 0.6 else rng.choice(standing)
    rate = rng.choice((1, 1, 1, 0.6))
    return _at_places(rng, formula, chosen, var, rate)


def _at_places(rng: random.Random, formula: Formula, constant: Const, var: Var, rate: float) -> Formula:
    if isinstance(formula, Atom):
        args = (var if arg == constant and rng.random() < rate else arg for arg in formula.args)
        return Atom(formula.predicate, tuple(args))
    return rebuilt(formula, [_at_places(rng, part, constant, var, rate) for part in parts_of(formula)])
