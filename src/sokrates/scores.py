"""How the stages of a run do on one set of problems, and the files that say so.

Contract: the folder gets `evaluation/STAGE/` (traces, summary, row) as each stage is measured, `results.json` with a
row a stage, and at the end `references.json` (what always answering UNKNOWN, and guessing, would score),
`differences.json` (paired over the same problems), `results.md` and `report.html`. The set that a run is about has
the run folder itself; each further set has a folder of the same shape in `transfer/`. It does not know how models come
to be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from sokrates import jsonl
from sokrates.config import Config, EvaluationConfig
from sokrates.evaluation import differences, evaluate, measured, reference_rows
from sokrates.generation import Asker, OnTrace
from sokrates.metrics import Difference, Row, breakdown
from sokrates.problems import Problem
from sokrates.report.document import write_report
from sokrates.report.folder import DIFFERENCES, EVALUATION, REFERENCES, RESULTS, TRANSFER
from sokrates.report.table import differences_markdown, results_markdown
from sokrates.traces.trace import Trace

REPORT = "results.md"
CURVE = ("accuracy", "proof_rate", "trace_validity", "step_validity")
"""The rates that a loop's curve tells of each stage."""


@dataclass
class Results:
    """What a run found: a row a stage, the reference rows, the differences between stages, and the same on each further
    set of problems."""

    rows: list[Row]
    references: list[Row]
    differences: list[Difference]
    transfer: dict[str, Results] = field(default_factory=dict)


class Scores:
    """The figures of a run's stages on one set of problems, in `root`."""

    def __init__(self, root: Path, problems: Sequence[Problem]) -> None:
        self.root = root
        self.problems = problems
        self._rows: list[Row] = []
        self._traces_of: dict[str, list[Trace]] = {}

    def measure(
        self, stage: str, asker: Asker, config: Config, *, votes: int = 1, on_trace: OnTrace | None = None
    ) -> None:
        """Add the row of a stage. Errors: as `evaluate`."""
        folder = self.root / EVALUATION / stage
        self._rows.append(evaluate(self.problems, asker, stage, folder, config, votes=votes, on_trace=on_trace))
        self._traces_of[stage] = measured(folder)
        jsonl.write_json(self.root / RESULTS, self._rows)

    def curve(self, baselines: Sequence[str]) -> list[dict[str, float]]:
        """The rates of the loop's own stages so far, the latest last."""
        rows = [row for row in self._rows if row.stage not in baselines]
        return [{name: rate.value for name in CURVE if (rate := getattr(row, name)) is not None} for row in rows]

    def finish(self, baselines: Sequence[str], config: EvaluationConfig) -> Results:
        """Write down what was found; of the stages those that are `baselines` are compared otherwise."""
        compared = _comparisons(list(self._traces_of), baselines)
        found = Results(self._rows, reference_rows(self.problems), differences(compared, self._traces_of, config))
        jsonl.write_json(self.root / RESULTS, found.rows)
        jsonl.write_json(self.root / REFERENCES, found.references)
        jsonl.write_json(self.root / DIFFERENCES, found.differences)
        with jsonl.atomic(self.root / REPORT) as file:
            file.write(_report(found).encode())
        write_report(self.root)
        return found


def read_results(root: Path) -> Results:
    """What a finished run found."""
    return Results(
        jsonl.read_json(root / RESULTS, list[Row]),
        jsonl.read_json(root / REFERENCES, list[Row]),
        jsonl.read_json(root / DIFFERENCES, list[Difference]),
        {path.parent.name: read_results(path.parent) for path in sorted((root / TRANSFER).glob(f"*/{DIFFERENCES}"))},
    )


def _comparisons(stages: Sequence[str], baselines: Sequence[str]) -> list[tuple[str, str]]:
    """Each stage of the loop with the one before it, its last with SFT, and each baseline with SFT and that last."""
    loop = [stage for stage in stages if stage not in baselines]
    pairs = list(pairwise(loop))
    if len(loop) > 3:
        pairs.append(("sft", loop[-1]))
    pairs += [(other, baseline) for baseline in baselines for other in ("sft", loop[-1])]
    return list(dict.fromkeys(pairs))  # SFT itself is the last where no iteration came after it


def _report(results: Results) -> str:
    """The tables as one Markdown page."""
    parts = [
        "# Results",
        "Each stage greedily on the same unseen problems, in percent with 95% intervals.",
        results_markdown([*results.rows, *results.references]),
        "## Differences\n\nIn percentage points, paired over the same problems (bootstrap).",
        differences_markdown(results.differences),
    ]
    for row in results.rows:
        parts += [f"## {row.stage}, by label and by hops", results_markdown(breakdown(row))]
    return "\n\n".join(part.strip() for part in parts) + "\n"
