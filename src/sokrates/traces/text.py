"""Completions as text: rendering steps and parsing what models really write.

Contract: `parse` never fails, and nothing of a completion vanishes. All text since the last action is an action's
thought, labels left out; what no action follows is the `rest`. An action that cannot be read is a step with an empty
`option_type`. A final answer is what a "Final Answer:" line says, nothing but the answer. Everything that `render`
writes, `parse` reads back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from sokrates.logic.answer import ANSWERS, Answer
from sokrates.logic.rules import CONCLUDE, RULES
from sokrates.traces.trace import Step

_OPTION = re.compile(
    r"""<\s*option\s+type\s*=\s*["']\s*(\w+)\s*["']\s+args\s*=\s*["']\s*\[([\d,\s]*)\]\s*["']\s*/?\s*>""",
    re.IGNORECASE | re.ASCII,
)
_MARK = re.compile(
    r"[\n \t](?:(?<=\n)[ \t]*|(?=Action[ \t]*:[ \t]*<))(Thought|Action|Final Answer)[ \t]*:[ \t]*",
    re.IGNORECASE | re.ASCII,
)
"""A label at the beginning of a line; an action may also end its thought's line."""
_DECORATION = "*_`\"'()[]. \t\r\n"
"""What may stand around a final answer."""
_REMEMBERED = 100
"""How long an action may be to be remembered."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a completion says."""

    steps: list[Step]
    final_answer: Answer | None
    """The stated final answer; None where there is none, or none that can be read."""
    unread_answer: str | None
    """What is stated as final answer and is not exactly one answer."""
    rest: str
    """The thought that no action follows."""


def parse(completion: str) -> Parsed:
    """Read a completion; see the module's contract."""
    text = f"\n{completion}"
    marks = list(_MARK.finditer(text))
    ends = [*(mark.start() for mark in marks[1:]), len(text)]
    thought = [text[: marks[0].start()] if marks else text]
    steps: list[Step] = []
    answers: list[str] = []
    for mark, end in zip(marks, ends, strict=False):
        body = text[mark.end() : end].strip()
        match mark.group(1).lower():
            case "thought":
                thought.append(body)
            case "final answer":
                answer, _, after = body.partition("\n")
                answers.append(answer.strip(_DECORATION))
                thought.append(after if after.strip(_DECORATION) else "")
            case _:
                option, args = parse_action(body)
                steps.append(
                    Step(
                        step_idx=len(steps),
                        thought=_joined(thought),
                        action=body,
                        option_type=option,
                        option_args=args,
                    )
                )
                thought = []
    return Parsed(steps, *_stated(answers), _joined(thought))


def end_of_step(completion: str, number: int) -> int:
    """How many characters end with the step of this number, from 1, and its blanks; all where there are no more.

    Errors: ValueError for a number below 1.
    """
    if number < 1:
        raise ValueError(f"step {number}; expected 1 or more")
    marks = list(_MARK.finditer(f"\n{completion}"))
    actions = [place for place, mark in enumerate(marks) if mark.group(1).lower() == "action"]
    after = actions[number - 1] + 1 if number <= len(actions) else len(marks)
    return marks[after].start(1) - 1 if after < len(marks) else len(completion)


def _joined(pieces: Iterable[str]) -> str:
    return "\n".join(stripped for piece in pieces if (stripped := piece.strip()))


def _stated(answers: Sequence[str]) -> tuple[Answer | None, str | None]:
    """The one answer that all final answers are, or what they say instead."""
    said = {answer.upper() for answer in answers}
    if len(said) == 1 and said <= {*ANSWERS}:
        return Answer(said.pop()), None
    return None, "; ".join(answers) if answers else None


def parse_action(text: str) -> tuple[str, tuple[int, ...]]:
    """The option and its arguments; ("", ()) for what is not exactly one option."""
    text = text.strip()
    return _read_action(text) if len(text) <= _REMEMBERED else _read_action.__wrapped__(text)


@lru_cache(maxsize=1 << 12)
def _read_action(text: str) -> tuple[str, tuple[int, ...]]:
    found = _OPTION.fullmatch(text)
    if not found:
        return "", ()
    numbers = [part.strip() for part in found.group(2).split(",")] if found.group(2).strip() else []
    if not all(number.isdecimal() and len(number) <= 9 for number in numbers):
        return "", ()
    return found.group(1).upper(), tuple(int(number) for number in numbers)


def well_formed(option: str, args: Sequence[int]) -> bool:
    """Whether an action names an option and cites as many lines as that takes, whichever they are."""
    if option == CONCLUDE:
        return len(args) == 1 and 0 <= args[0] < len(ANSWERS)
    rule = RULES.get(option)
    return rule is not None and rule.least <= len(args) <= rule.most


def render_action(option: str, args: Iterable[int]) -> str:
    return f'<Option type="{option}" args="[{", ".join(map(str, args))}]" />'


def render(steps: Sequence[tuple[str, str]], answer: Answer) -> str:
    """A completion from (thought, action) pairs and the final answer."""
    lines = [line for thought, action in steps for line in (f"Thought: {thought}", f"Action: {action}")]
    return "\n".join([*lines, "", f"Final Answer: {answer}"])
