"""Completions as text: rendering steps and parsing what models really write.

Contract: `parse` never fails. An action that cannot be read is a step with an empty `option_type`; an action without a
thought is a step with an empty thought; a thought without an action at the end is dropped (the text was cut there).
Everything that `render` writes, `parse` reads back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sokrates.logic.answer import Answer
from sokrates.traces.trace import Step

_OPTION = re.compile(
    r"""<\s*option\s+type\s*=\s*["']\s*(\w+)\s*["']\s+args\s*=\s*["']\s*\[([\d,\s]*)\]\s*["']\s*/?\s*>""", re.IGNORECASE
)
_MARK = re.compile(
    r"(?:^[ \t]*|[ \t](?=Action[ \t]*:[ \t]*<))(Thought|Action|Final Answer)[ \t]*:[ \t]*", re.IGNORECASE | re.MULTILINE
)
_FINAL = re.compile(r"^[ \t]*Final Answer[ \t]*:", re.IGNORECASE | re.MULTILINE)
_ANSWER = re.compile(r"[*_\s\"']*(TRUE|FALSE|UNKNOWN)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Parsed:
    """The steps of a completion and its stated final answer, None where there is none that can be read."""

    steps: list[Step]
    final_answer: Answer | None


def parse(completion: str) -> Parsed:
    """Read a completion; see the module's contract."""
    steps: list[Step] = []
    marks = list(_MARK.finditer(completion))
    thought = completion[: marks[0].start()].strip() if marks else ""
    for index, mark in enumerate(marks):
        end = marks[index + 1].start() if index + 1 < len(marks) else len(completion)
        body = completion[mark.end() : end].strip()
        match mark.group(1).lower():
            case "thought":
                thought = body
            case "action":
                option, args = parse_action(body)
                steps.append(
                    Step(step_idx=len(steps), thought=thought, action=body, option_type=option, option_args=args)
                )
                thought = ""
    return Parsed(steps, stated_answer(completion))


def stated_answer(completion: str) -> Answer | None:
    """What the last "Final Answer:" says; None without one that can be read."""
    ends = [mark.end() for mark in _FINAL.finditer(completion)]
    found = _ANSWER.match(completion, ends[-1]) if ends else None
    return Answer(found.group(1).upper()) if found else None


def parse_action(text: str) -> tuple[str, tuple[int, ...]]:
    """The option and its arguments; ("", ()) for what is not exactly one option."""
    found = _OPTION.fullmatch(text.strip())
    if not found:
        return "", ()
    numbers = [part.strip() for part in found.group(2).split(",")] if found.group(2).strip() else []
    if not all(number.isdecimal() and len(number) <= 9 for number in numbers):
        return "", ()
    return found.group(1).upper(), tuple(int(number) for number in numbers)


def render_action(option: str, args: Iterable[int]) -> str:
    return f'<Option type="{option}" args="[{", ".join(map(str, args))}]" />'


def render(steps: Sequence[tuple[str, str]], answer: Answer) -> str:
    """A completion from (thought, action) pairs and the final answer."""
    lines = [line for thought, action in steps for line in (f"Thought: {thought}", f"Action: {action}")]
    return "\n".join([*lines, "", f"Final Answer: {answer}"])
