from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sokrates.guides.automaton import Free, Node, characters, grammar, one_of
from sokrates.logic.rules import CONCLUDE, RULES
from sokrates.traces.text import render_action, well_formed

GRAMMAR = grammar()


def walk(root: Node, text: str) -> Node | None:
    node = root
    for character in text:
        if character not in node.next:
            return None
        node = node.next[character]
    return node


def nodes(root: Node) -> list[Node]:
    found: dict[int, Node] = {}
    stack = [root]
    while stack:
        node = stack.pop()
        if id(node) not in found:
            found[id(node)] = node
            stack += node.next.values()
    return list(found.values())


@given(st.sampled_from((*RULES, CONCLUDE, "NO_RULE")), st.lists(st.integers(0, 1100), max_size=6))
def test_the_grammar_is_the_well_formed_actions(option, args):
    node = walk(GRAMMAR, f" {render_action(option, args)}")
    assert (node is not None) == (well_formed(option, args) and all(number < 1000 for number in args))
    if node:
        assert node.ends == (option == CONCLUDE)
        assert walk(node, "\nThought:").free == Free("\nthought:", concluded=option == CONCLUDE)


def test_the_grammar_takes_as_many_lines_as_a_rule_does():
    for rule in RULES.values():
        for count in {rule.least, rule.most}:
            assert walk(GRAMMAR, f" {render_action(rule.name, range(count))}")
        assert walk(GRAMMAR, f" {render_action(rule.name, range(rule.most + 1))}") is None
        if rule.least:
            assert walk(GRAMMAR, f" {render_action(rule.name, range(rule.least - 1))}") is None


def test_no_other_spelling():
    for text in ('<Option type="ASSUME" args="[]" />', ' <Option type="MODUS_PONENS" args="[0,1]" />'):
        assert walk(GRAMMAR, text) is None
    for numbers in ("01, 2", "1, 002", "1000, 2", "1, 2,", "1, 2]", ", 2"):
        assert walk(GRAMMAR, f' <Option type="MODUS_PONENS" args="[{numbers}]" />') is None


def test_every_node_goes_on_or_ends():
    for root in (GRAMMAR, one_of([("AND_ELIM", (3,)), ("AND_INTRO", (3, 12)), (CONCLUDE, (2,))])):
        assert all(node.next or node.free for node in nodes(root))
        assert {character for node in nodes(root) for character in node.next} <= {*characters()}


@given(st.lists(st.tuples(st.sampled_from(("A", "AB", CONCLUDE)), st.lists(st.integers(0, 12), max_size=3))))
def test_one_of_is_exactly_these(given_actions):
    actions = [(option, tuple(args)) for option, args in given_actions]
    root = one_of(actions)
    for option in ("A", "AB", CONCLUDE):
        for args in [(), (1,), (1, 2), *(args for _, args in actions)]:
            assert (walk(root, f" {render_action(option, args)}") is not None) == ((option, args) in actions)
