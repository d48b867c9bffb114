"""The files that a page supposes its reader to have, in small."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from sokrates import jsonl
from sokrates.problems.generator import GeneratorSettings, generate
from sokrates.traces.building import build_trace
from sokrates.traces.gold import gold_completion
from sokrates.traces.trace import Trace
from sokrates.verification.verify import verify


def give(page: str, folder: Path) -> None:
    """Put the files of a page into a folder."""
    if page == "README.md":
        jsonl.write(folder / "train.jsonl", _prontoqa(40, seed=1))
        jsonl.write(folder / "dev.jsonl", _prontoqa(10, seed=2))
    elif page == "docs/datasets.md":
        jsonl.write(folder / "folio-validation.jsonl", [FOLIO])
    elif page == "docs/training.md":
        jsonl.write(folder / "outputs/traces/traces.jsonl", _traces(samples=4))
    elif page == "docs/report.md":
        jsonl.write(folder / "outputs/traces/traces.jsonl", _traces(samples=4))
        jsonl.write(folder / "outputs/demo/evaluation/iter2/traces.jsonl", _traces(samples=1))


def _prontoqa(count: int, seed: int) -> Iterator[dict[str, str | int | None]]:
    """Records as PrOntoQA's own generator writes them; it asks for TRUE and FALSE only."""
    settings = GeneratorSettings(least_hops=2, most_hops=4, distractors=2.0, mix=(1.0, 1.0, 0.0))
    for problem in generate(count, settings, seed):
        yield {
            "id": problem.problem_id,
            "question": " ".join(problem.premises),
            "query": f"True or false: {problem.conclusion}",
            "answer": problem.label.title() if problem.label else None,
            "hops": problem.hops,
        }


def _traces(samples: int) -> list[Trace]:
    """Verified gold traces of the problem that the page shows."""
    (problem,) = generate(1, GeneratorSettings(least_hops=2, most_hops=2), seed=1)
    problem = msgspec.structs.replace(problem, problem_id="eval-0-42-17")
    trace = build_trace(problem, gold_completion(problem))
    return [verify(msgspec.structs.replace(trace, sample=sample)) for sample in range(samples)]


FOLIO = {
    "premises": ["All birds fly.", "Tweety is a bird."],
    "premises-FOL": ["∀x (Bird(x) → Flies(x))", "Bird(tweety)"],
    "conclusion": "Tweety flies.",
    "conclusion-FOL": "Flies(tweety)",
    "label": "True",
}
