"""Steps verified a second on one core, ours and the published way, on the same traces.

Ours judges each step with the sound kernel and reports the three figures; premises are parsed once a problem. The
published way reads everything again for each trace and chains forward from nothing at each step, to ask whether the
first "X is Y" of the thought follows. Every repetition starts with empty caches. The best repetition counts,
since other work on a machine can only slow one down.

`--memory` measures whole files instead, and `--scaling FILE` worker processes: see `benchmarks.verification_files`.
"""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from benchmarks.machine import PROJECT, VERIFICATION, describe
from benchmarks.verification_files import measure_memory, measure_scaling
from sokrates import jsonl
from sokrates.logic import english
from sokrates.logic.answer import ANSWERS
from sokrates.logic.closure import Literal, ground_literal
from sokrates.logic.english import Reading
from sokrates.logic.formulas import Atom, Const, Forall, Formula, Implies, Not, conjuncts, substitute
from sokrates.problems.generator import GeneratorSettings, generate
from sokrates.traces.building import build_trace
from sokrates.traces.gold import gold_outline, write_outline
from sokrates.traces.sloppy import sloppy_outline
from sokrates.traces.trace import Step, Trace
from sokrates.verification import caches
from sokrates.verification.published import FIRST_STATEMENT
from sokrates.verification.verify import verify

RESULTS = PROJECT / "benchmarks" / "results"


def sampled_traces(problems: int, samples: int) -> list[Trace]:
    """Traces as a model might sample them: a third of their steps broken, each sample in its own way."""
    rng = random.Random(1)
    return [
        build_trace(problem, write_outline(problem, sloppy_outline(problem, gold_outline(problem), rng, rate=0.3)))
        for problem in generate(problems, GeneratorSettings(4, 6), seed=1)
        for _ in range(samples)
    ]


def published_way(trace: Trace) -> list[bool]:
    """The weak rule without any memory, for each step."""
    premises = [_parsed(sentence) for sentence in trace.premises]
    return [_weakly_valid(step, premises, trace) for step in trace.steps]


def _parsed(sentence: str) -> Formula:
    read = english.read.__wrapped__(sentence)
    assert isinstance(read, Reading)
    return read.formula


def _weakly_valid(step: Step, premises: Sequence[Formula], trace: Trace) -> bool:
    if step.option_type == "CONCLUDE":
        return trace.label is not None and step.option_args == (ANSWERS.index(trace.label),)
    found = FIRST_STATEMENT.search(step.thought)
    read = english.read.__wrapped__(found.group()) if found else None
    return isinstance(read, Reading) and ground_literal(read.formula) in _chained(premises)


def _chained(premises: Sequence[Formula]) -> set[tuple[Const, Literal]]:
    """Every fact that follows by applying all rules to all facts until nothing new comes."""
    facts = {fact for premise in premises for part in conjuncts(premise) if (fact := ground_literal(part))}
    while True:
        new = {fact for who, _ in facts for rule in premises for fact in _fired(rule, who, facts)}
        if new <= facts:
            return facts
        facts |= new


def _fired(rule: Formula, who: Const, facts: set[tuple[Const, Literal]]) -> list[tuple[Const, Literal]]:
    match rule:
        case Forall(var, Implies(Atom() | Not() as antecedent, consequent)):
            if ground_literal(substitute(antecedent, {var: who})) in facts:
                parts = (ground_literal(substitute(part, {var: who})) for part in conjuncts(consequent))
                return [part for part in parts if part]
    return []


def measure(way: Callable[[Trace], Any], traces: Sequence[Trace], repetitions: int) -> dict[str, Any]:
    """Steps a second of each repetition, by the wall and by the time this process had the processor."""
    steps = sum(len(trace.steps) for trace in traces)
    gc.collect()
    gc.freeze()  # the traces, held here for the measurement only, are nothing for the collector to look through
    wall, cpu = [], []
    for _ in range(repetitions):
        caches.empty()
        started, used = time.perf_counter(), time.process_time()
        for trace in traces:
            way(trace)
        wall.append(round(steps / (time.perf_counter() - started)))
        cpu.append(round(steps / (time.process_time() - used)))
    return {
        "steps_per_second": max(wall),
        "steps_per_cpu_second": max(cpu),
        "microseconds_per_step": round(1e6 / max(wall), 1),
        "every_repetition": wall,
        "every_repetition_by_cpu_time": cpu,
    }


@click.command()
@click.option("--problems", default=375, show_default=True)
@click.option("--samples", default=8, show_default=True, help="Traces a problem.")
@click.option("--repetitions", default=7, show_default=True)
@click.option("--memory", is_flag=True, help="Memory over whole files, and broken lines in them (some minutes).")
@click.option("--scaling", type=Path, help="Worker processes over samples of a file of gold traces that need z3.")
@click.option("--workers", type=int, multiple=True, default=(1, 2), show_default=True, help="Numbers for --scaling.")
@click.option("--output", type=Path, help="JSON file.  [default: one in benchmarks/results]")
def main(
    problems: int,
    samples: int,
    repetitions: int,
    memory: bool,
    scaling: Path | None,
    workers: tuple[int, ...],
    output: Path | None,
) -> None:
    """Measure verification, print the table and write it as JSON."""
    if memory:
        measure_memory(sampled_traces(2000, samples), output or RESULTS / "verification-memory-cpu.json")
    elif scaling:
        measure_scaling(scaling, workers, samples, output or RESULTS / "verification-scaling-cpu.json")
    else:
        compare(problems, samples, repetitions, output or RESULTS / "verification-cpu.json")


def compare(problems: int, samples: int, repetitions: int, output: Path) -> None:
    """Measure ours and the published way, print the table and write it as JSON."""
    traces = sampled_traces(problems, samples)
    ours = measure(verify, traces, repetitions)
    plain = measure(published_way, traces, max(1, repetitions // 2))
    result = {
        "what": "steps verified a second on one core; best repetition, caches emptied before each",
        "problems": problems,
        "samples_per_problem": samples,
        "traces": len(traces),
        "steps": sum(len(trace.steps) for trace in traces),
        "repetitions": repetitions,
        "sokrates": ours,
        "published_way": plain,
        "ratio": round(ours["steps_per_second"] / plain["steps_per_second"], 1),
        "machine": describe("msgspec", code=VERIFICATION),
    }
    jsonl.write_json(output, result)
    print(f"{'':24}{'steps/s':>10}{'by CPU time':>14}{'µs/step':>10}")
    for name, row in (("sokrates (sound)", ours), ("published way (weak)", plain)):
        print(
            f"{name:24}{row['steps_per_second']:>10,}{row['steps_per_cpu_second']:>14,}{row['microseconds_per_step']:>10}"
        )
    print(f"{result['ratio']} times as fast; {result['steps']:,} steps, best of {repetitions} repetitions; {output}")


if __name__ == "__main__":
    main()
