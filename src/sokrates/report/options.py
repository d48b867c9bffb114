"""The options as a page for people: what each rule takes, gives and needs, with a worked example."""

from __future__ import annotations

from collections.abc import Iterator

from sokrates.logic.answer import ANSWERS
from sokrates.logic.rules import CONCLUDE, RULES, Rule
from sokrates.traces.text import render_action

_HEAD = """\
# The options

Every step of a proof names one of these options and the lines that it uses, as in `<Option type="MODUS_PONENS"
args="[0, 1]" />`. A step is valid when its rule, applied to exactly these lines, gives what its thought claims. The
lines of a scheme stand in the order of the arguments; a line marked ASSUME is the number of an earlier ASSUME step.
Each line carries the assumptions that it rests on: a rule that discharges one takes it away, and what rests on any
cannot be concluded.

This page is written by `sokrates options` from the rules themselves (`src/sokrates/logic/rules`).
"""


def options_page() -> str:
    """The whole page, in Markdown."""
    return "\n".join([_HEAD, *_table(), "", *(_section(rule) for rule in RULES.values()), *_conclude()]) + "\n"


def _table() -> Iterator[str]:
    yield "| option | lines | gives |"
    yield "| --- | --- | --- |"
    for rule in RULES.values():
        yield f"| [{rule.name}](#{rule.name.lower()}) | {_scheme(rule)} | {rule.gives} |"
    yield f"| [{CONCLUDE}](#{CONCLUDE.lower()}) | 0, 1 or 2 | the answer |"


def _scheme(rule: Rule) -> str:
    return ", ".join(rule.arguments) or "none"


def _section(rule: Rule) -> str:
    head = f"## {rule.name}\n\n{rule.sentence}\n\n*Lines:* {_scheme(rule)}. *Gives:* {rule.gives}."
    needs = f" *Note:* {rule.needs}." if rule.needs else ""
    return f"{head}{needs}\n\n```\n{_example(rule)}\n```\n"


def _example(rule: Rule) -> str:
    premises = [f"[{number}] {premise}" for number, premise in enumerate(rule.example.premises)]
    derived = [
        f"[{len(premises) + index}] {claim:<28} {render_action(option, args)}"
        for index, (option, args, claim) in enumerate(rule.example.steps)
    ]
    return "\n".join([*premises, *derived])


def _conclude() -> Iterator[str]:
    numbered = ", ".join(f"`[{number}]` {answer}" for number, answer in enumerate(ANSWERS))
    yield f"## {CONCLUDE}\n"
    yield f"It ends the proof and derives nothing. Its argument is an answer, no line: {numbered}."
    yield "TRUE needs the conclusion among the lines that rest on no assumption, FALSE its complement, and UNKNOWN the"
    yield "solver's own word that the premises entail neither, classically."
