"""The published traces judged again: the sound figures beside the published ones, and which rule makes the difference.

Besides the project's verdict, which ends at the first CONCLUDE, each file is judged as if CONCLUDE ended nothing, since
these traces go on after it: with each rule's name as written, and with the name ignored (any one rule of the kernel
that fits counts). Lines keep the traces' own numbers, and only premises and steps found valid can be cited. The traces
lie outside this repository; docs/soundness.md says where they come from.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click

from benchmarks.machine import PROJECT, VERIFICATION, describe
from sokrates import jsonl
from sokrates.logic.answer import Answer
from sokrates.logic.claim import Claim, claim_of, concluded_of
from sokrates.logic.closure import Closure
from sokrates.logic.english import Unreadable
from sokrates.logic.proof import Proof
from sokrates.logic.rules import ASSUME, CONCLUDE, RULES
from sokrates.logic.verdict import Verdict
from sokrates.problems.reading import read_sentences
from sokrates.traces.trace import Step, Trace
from sokrates.verification.verify import verify


class OpenProof(Proof):
    """A proof that no CONCLUDE ends."""

    def step(self, option: str, args: Sequence[int], claim: Claim | Answer) -> Verdict:
        verdict = super().step(option, args, claim)
        self._end = None
        return verdict

    def any_rule(self, args: Sequence[int], claim: Claim) -> Verdict:
        """The step under the first rule that fits it."""
        for rule in (name for name in RULES if name != ASSUME):
            verdict = self.step(rule, args, claim)
            if verdict.valid:
                return verdict
            self.take_back()
        return self.step("", args, claim)


def judged_open(trace: Trace, *, named: bool) -> list[bool]:
    """Which steps are valid where CONCLUDE ends nothing."""
    proof = OpenProof(read_sentences(trace.premises, trace.conclusion).theory)
    return [_judged(proof, step, named).valid for step in trace.steps]


def _judged(proof: OpenProof, step: Step, named: bool) -> Verdict:
    if step.option_type == CONCLUDE:
        return proof.step(CONCLUDE, step.option_args, concluded_of(step.thought))
    claim = claim_of(step.thought)
    return proof.step(step.option_type, step.option_args, claim) if named else proof.any_rule(step.option_args, claim)


def follows_from_cited(trace: Trace) -> list[bool]:
    """Which steps' claims follow from the cited premises and claims in any way, proved or not."""
    lines = [*read_sentences(trace.premises, trace.conclusion).theory.premises]
    found = []
    for step in trace.steps:
        claim = claim_of(step.thought)
        readable = claim is not None and not isinstance(claim, Unreadable)
        cited = [lines[number] for number in step.option_args if 0 <= number < len(lines)]
        follows = readable and None not in cited and len(cited) == len(step.option_args)
        found.append(bool(follows and Closure(cited).entails(claim)))  # type: ignore[arg-type]
        lines.append(claim if readable else None)  # type: ignore[arg-type]
    return found


def figures(path: Path) -> dict[str, Any]:
    """All counts over one file of published traces."""
    traces = list(jsonl.read(path, Trace))
    stored = [step.solver_valid is True for trace in traces for step in trace.steps]
    stored_traces = sum(trace.all_steps_valid is True for trace in traces)
    named = [judged_open(trace, named=True) for trace in traces]
    unnamed = [judged_open(trace, named=False) for trace in traces]
    cited = [follows_from_cited(trace) for trace in traces]
    for trace in traces:
        verify(trace)
    steps = [step for trace in traces for step in trace.steps]
    inference = [step.option_type != CONCLUDE for step in steps]
    rebuilt = [step.published_valid is True for step in steps]

    def inferences(verdicts: Iterable[bool]) -> int:
        return sum(valid and counts for valid, counts in zip(verdicts, inference, strict=True))

    return {
        "traces": len(traces),
        "steps": len(steps),
        "inference_steps": sum(inference),
        "inference_steps_after_conclude": sum(
            step.option_type != CONCLUDE and step.reason == "after_conclusion" for step in steps
        ),
        "published_valid_steps": sum(stored),
        "published_valid_inference_steps": inferences(stored),
        "published_valid_traces": stored_traces,
        "published_rule_rebuilt": sum(rebuilt),
        "published_rule_agrees": sum(left == right for left, right in zip(stored, rebuilt, strict=True)),
        "entailed_inference_steps": inferences(step.entailed is True for step in steps),
        "sound_steps": sum(step.solver_valid is True for step in steps),
        "sound_inference_steps": inferences(step.solver_valid is True for step in steps),
        "sound_traces": sum(trace.all_steps_valid is True for trace in traces),
        "open_named_inference_steps": inferences(valid for trace in named for valid in trace),
        "open_any_rule_inference_steps": inferences(valid for trace in unnamed for valid in trace),
        "open_any_rule_traces": sum(all(trace) for trace in unnamed),
        "follows_from_cited_inference_steps": inferences(valid for trace in cited for valid in trace),
        "rules_named": dict(Counter(step.option_type for step in steps).most_common()),
        "misquotes": sum(trace.misquotes or 0 for trace in traces),
    }


_ROWS = {
    "steps": "steps",
    "inference steps": "inference_steps",
    "... after the first CONCLUDE": "inference_steps_after_conclude",
    "published: valid steps": "published_valid_steps",
    "published: valid traces": "published_valid_traces",
    "published rule rebuilt: same verdict": "published_rule_agrees",
    "claim entailed by all premises": "entailed_inference_steps",
    "follows from the cited claims": "follows_from_cited_inference_steps",
    "any rule, open end": "open_any_rule_inference_steps",
    "named rule, open end": "open_named_inference_steps",
    "sound inference steps": "sound_inference_steps",
    "sound traces": "sound_traces",
}


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--output", type=Path, default=PROJECT / "benchmarks" / "results" / "published-traces.json")
def main(folder: Path, output: Path) -> None:
    """Judge the published traces in FOLDER, print the table and write it as JSON."""
    result = {path.stem: figures(path) for path in sorted(folder.glob("*.jsonl"))}
    jsonl.write_json(output, {"files": result, "machine": describe("msgspec", code=VERIFICATION)})
    print(f"{'':38}" + "".join(f"{name.removesuffix('_samples'):>28}" for name in result))
    for name, key in _ROWS.items():
        print(f"{name:38}" + "".join(f"{counts[key]:>28}" for counts in result.values()))


if __name__ == "__main__":
    main()
