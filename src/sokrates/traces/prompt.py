"""The one prompt builder: SFT, generation, DPO and evaluation all get their prompts here.

Contract: what all prompts share stands first (so that an engine can compute it once); premises are numbered from 0.
Prompt and completion are joined as token ids: `encode_prompt` and `encode_completion` are the only places that turn
either into ids, and the completion's ids end with the end-of-text token. How a model wants to be asked (`PromptStyle`)
is kept in `prompt.json` beside its weights, so that an adapter is always asked as it was trained.
"""

from __future__ import annotations

from itertools import takewhile
from pathlib import Path
from typing import Any, Protocol

import msgspec

from sokrates import jsonl
from sokrates.logic.rules import RULES
from sokrates.problems import Problem

STYLE_FILE = "prompt.json"

RULE_LINES = "\n".join(f"{rule.name} [{', '.join(rule.arguments)}] gives {rule.gives}" for rule in RULES.values())

INSTRUCTIONS = f"""\
Decide whether the conclusion is TRUE, FALSE or UNKNOWN, given the premises. Reason in steps of two lines:
Thought: what you use and what follows from it, ending with "so" and the new statement
Action: the rule and the numbers of the lines it uses; each action's result takes the next line number
Rules, with the lines that each takes (ASSUME A stands for an earlier ASSUME step, whose thought states A):
{RULE_LINES}
Where premises have formulas, the new statement is a formula.
End with CONCLUDE: [0] for TRUE, [1] for FALSE, [2] for UNKNOWN, and then the final answer.
"""

EXAMPLE = """\
Premises:
  [0] Every cat is a mammal.
  [1] Tom is a cat.
  [2] Mammals are not cold.

Conclusion to evaluate: Tom is cold.

Reasoning:
Thought: Tom is a cat (line 1) and every cat is a mammal (line 0), so Tom is a mammal.
Action: <Option type="MODUS_PONENS" args="[1, 0]" />
Thought: Tom is a mammal (line 3) and mammals are not cold (line 2), so Tom is not cold.
Action: <Option type="MODUS_PONENS" args="[3, 2]" />
Thought: Line 4 contradicts the conclusion, so the answer is FALSE.
Action: <Option type="CONCLUDE" args="[1]" />

Final Answer: FALSE

"""


class Tokenizer(Protocol):
    """What is needed of a transformers tokenizer."""

    eos_token_id: int | None

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]: ...

    def apply_chat_template(self, conversation: Any, **kwargs: Any) -> Any: ...


class PromptStyle(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a model is asked: with instructions, with a worked example, through its chat template."""

    instructions: bool = True
    example: bool = False
    chat: bool = False

    @classmethod
    def load(cls, folder: str | Path, default: PromptStyle | None = None) -> PromptStyle:
        """The style kept beside a model or adapter, else the default."""
        path = Path(folder) / STYLE_FILE
        style: PromptStyle = jsonl.read_json(path, cls) if path.is_file() else (default or cls())
        return style

    def encode(self) -> bytes:
        """What `prompt.json` holds."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"

    def save(self, folder: str | Path) -> None:
        with jsonl.atomic(Path(folder) / STYLE_FILE) as file:
            file.write(self.encode())


def build_prompt(problem: Problem, style: PromptStyle) -> str:
    """The text of a prompt, up to where the first thought begins."""
    head = (INSTRUCTIONS + "\n" if style.instructions else "") + (EXAMPLE if style.example else "")
    return head + _statement(problem)


def _statement(problem: Problem) -> str:
    formulas = problem.premises_fol or ("",) * len(problem.premises)
    premises = [
        f"  [{number}] {_with_formula(premise, formula)}"
        for number, (premise, formula) in enumerate(zip(problem.premises, formulas, strict=True))
    ]
    goal = _with_formula(problem.conclusion, problem.conclusion_fol)
    return "\n".join(["Premises:", *premises, "", f"Conclusion to evaluate: {goal}", "", "Reasoning:", ""])


def _with_formula(sentence: str, formula: str) -> str:
    return f"{sentence} | {formula}" if formula and formula != sentence else sentence


def encode_prompt(tokenizer: Tokenizer, problem: Problem, style: PromptStyle) -> list[int]:
    """The token ids of a prompt."""
    text = build_prompt(problem, style)
    if style.chat:
        message = [{"role": "user", "content": text}]
        text = tokenizer.apply_chat_template(message, tokenize=False, add_generation_prompt=True)
        return tokenizer.encode(text, add_special_tokens=False)
    return tokenizer.encode(text, add_special_tokens=True)


def encode_completion(
    tokenizer: Tokenizer, completion: str, *, ended: bool = True, until: int | None = None
) -> list[int]:
    """The token ids of a completion, with the end-of-text token where it `ended` and was not cut.

    `until` leaves only the tokens, as they are in the whole text, that lie in so many first characters, and no end.
    """
    ids = tokenizer.encode(completion, add_special_tokens=False)
    if until is not None:
        part = tokenizer.encode(completion[:until], add_special_tokens=False)
        return [token for token, _ in takewhile(lambda both: both[0] == both[1], zip(ids, part, strict=False))]
    return [*ids, tokenizer.eos_token_id] if ended and tokenizer.eos_token_id is not None else ids
