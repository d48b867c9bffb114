"""Counts over verified traces, kept while they stream by."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from sokrates.logic.rules import CONCLUDE
from sokrates.traces.text import well_formed
from sokrates.traces.trace import Trace

_REASON = "reason: "
"""Before a reason's name among the counts."""


class Tally:
    """The plan's summary keys and more, as plain numbers; rates over nothing are 0."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def add(self, trace: Trace) -> None:
        self.add_counts(counts_of(trace))

    def add_counts(self, counts: dict[str, int]) -> None:
        self.counts.update(counts)

    def summary(self, elapsed_seconds: float, config: Any) -> dict[str, Any]:
        """What `summary.json` holds."""
        counts = self.counts
        return {
            "timestamp": datetime.now(UTC).isoformat(timespec="seconds"),
            "elapsed_seconds": round(elapsed_seconds, 3),
            "total_traces": counts["total_traces"],
            "valid_traces": counts["valid_traces"],
            "correct_traces": counts["correct_traces"],
            "accuracy": _rate(counts["correct_traces"], counts["total_traces"]),
            "traces_per_second": _rate(counts["total_traces"], elapsed_seconds),
            "total_steps": counts["total_steps"],
            "valid_steps": counts["valid_steps"],
            "step_validity": _rate(counts["valid_steps"], counts["total_steps"]),
            "trace_validity": _rate(counts["valid_traces"], counts["total_traces"]),
            "actions": counts["actions"],
            "malformed_actions": counts["malformed_actions"],
            "valid_actions": counts["valid_actions"],
            "action_validity": _rate(counts["valid_actions"], counts["actions"]),
            "inference_steps": counts["inference_steps"],
            "inference_step_validity": _rate(counts["valid_inference_steps"], counts["inference_steps"]),
            "entailed_rate": _rate(counts["entailed_steps"], counts["inference_steps"]),
            "published_rate": _rate(counts["published_steps"], counts["total_steps"]),
            "undecided_claims": counts["undecided_claims"],
            "undecided_steps": counts["undecided_steps"],
            "claims_missing": counts["claims_missing"],
            "misquotes": counts["misquotes"],
            "unused_steps": counts["unused_steps"],
            "repeated_steps": counts["repeated_steps"],
            "reasons": self.reasons(),
            "config": config,
        }

    def reasons(self) -> dict[str, int]:
        """How often each reason was given, the most frequent first."""
        given = [(key.removeprefix(_REASON), count) for key, count in self.counts.items() if key.startswith(_REASON)]
        return dict(sorted(given, key=lambda entry: (-entry[1], entry[0])))


def counts_of(trace: Trace) -> dict[str, int]:
    """What one verified trace adds to a tally."""
    inferences = [step for step in trace.steps if step.option_type != CONCLUDE]
    actions = trace.emitted
    counts = {
        "total_traces": 1,
        "valid_traces": int(trace.all_steps_valid is True),
        "correct_traces": int(trace.correct),
        "total_steps": len(trace.steps),
        "valid_steps": trace.valid_step_count or 0,
        "actions": len(actions),
        "malformed_actions": sum(not well_formed(step.option_type, step.option_args) for step in actions),
        "valid_actions": sum(step.action_valid is True for step in actions),
        "inference_steps": len(inferences),
        "valid_inference_steps": sum(step.solver_valid is True for step in inferences),
        "entailed_steps": sum(step.entailed is True for step in inferences),
        "undecided_steps": sum(step.solver_valid is None for step in trace.steps),
        "undecided_claims": sum(step.claim is not None and step.entailed is None for step in inferences),
        "published_steps": sum(step.published_valid is True for step in trace.steps),
        "claims_missing": trace.claims_missing or 0,
        "misquotes": trace.misquotes or 0,
        "unused_steps": trace.unused_steps or 0,
        "repeated_steps": trace.repeated_steps or 0,
    }
    for step in trace.steps:
        if step.reason:
            key = _REASON + step.reason
            counts[key] = counts.get(key, 0) + 1
    return counts


def _rate(part: float, whole: float) -> float:
    return round(part / whole, 6) if whole else 0.0
