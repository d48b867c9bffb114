"""The ways that `benchmarks.loop` sets side by side: which processes each is made of, and with which settings.

Contract: every way leaves the files of a run folder of `sokrates loop`, under the same names, so that their work can be
compared file by file. A way's stages are told by the file that each leaves last. Pure: it starts nothing.

What of the plan's plain choices belongs here: a process and a load of the model for every stage; examples that are
padded and not packed; a prompt computed for each of its two completions; batches as they are configured, not joined.
What does not: its greedy decoding (no pairs come of it, so both sides sample), its merge of the adapter (it would train
something else, and the saved adapter would have lost SFT; what it costs is in `benchmarks.dpo`), padding to 2048 and
the reference computed again at each step (no setting of ours brings them back; with one epoch the reference is computed
once either way). So the shell is better than the plan's: batches of like length, our attention, our engine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

GOLD = "data/gold.jsonl"
TRAIN, EVALUATION = "data/train.jsonl", "data/eval.jsonl"
BATCH, ACCUMULATION = 8, 2
"""Of the plain SFT: its optimizer step is what all ways train in."""

COMMON = (
    "data.distractors=2.0",
    "trace_generation.samples_per_problem=4",
    "trace_generation.temperature=0.7",
    "sft.num_epochs=3",
    "sft.learning_rate=5e-4",
    "sft.heldout_fraction=0.0",  # stopping early would let the ways do unlike amounts of work
    "sft.early_stopping_patience=0",
    "sft.lora.r=16",
    "sft.lora.alpha=32",
    "dpo.batch_size=8",
    "dpo.gradient_accumulation_steps=1",
    "dpo.learning_rate=5e-4",
    "dpo.loss_type=[sigmoid, sft]",
    "dpo.max_length=8192",  # no sampled text is too long: `pairs` leaves none out, as the loop would
)
"""The demo's rates, for a small model."""
PLAIN = (
    "sft.packing=false",
    f"sft.batch_size={BATCH}",
    f"sft.gradient_accumulation_steps={ACCUMULATION}",
    "sft.batch_tokens=0",
    "dpo.share_prompts=false",
    "dpo.batch_tokens=0",
)


@dataclass(frozen=True, slots=True)
class Way:
    """One way. `processes` and `engines` are one a stage, or one for all."""

    name: str
    title: str
    shell: bool = False
    """A process for each stage."""
    plain: bool = False
    """Trained the plain way."""
    fresh: bool = False
    """A new engine for each stage, also where one process does them all."""


WAYS = {
    way.name: way
    for way in (
        Way("loop", "our loop"),
        Way("shell", "the plan's shell loop: a process a stage, trained plainly", shell=True, plain=True),
        Way("shell-ours", "the same, trained with our settings", shell=True),
        Way("loop-fresh", "our loop with a new engine for each stage", fresh=True),
    )
}
"""In the order in which they run, what matters most first: time may run out. Who comes first pays for cold caches."""
ONE_ENGINE = "one engine for all stages"
STEPS = (
    ("shell", "shell-ours", "training: packed, prompts shared, batches joined"),
    ("shell-ours", "loop-fresh", "one process for all stages"),
    ("loop-fresh", "loop", ONE_ENGINE),
)
"""What is switched between two ways."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of the loop: what kind, the file that is there when it is done, and the command that does it alone."""

    name: str
    kind: str
    mark: str
    command: tuple[str, ...] = ()


def stages(iterations: int, config: Path, folder: Path, model: str, seed: int) -> list[Stage]:
    """The stages of a whole loop in `folder`, in order, as `sokrates` commands. `seed`: of sampling."""
    settings = ("--config", str(config))

    def at(name: str) -> str:
        return str(folder / name)

    def evaluated(name: str, asked: str) -> Stage:
        output = f"evaluation/{name}"
        command = ("evaluate", *settings, "--model", asked, "--data", at(EVALUATION), "--output", at(output))
        return Stage(f"evaluate {name}", "evaluate", f"{output}/results.json", command)

    found = [
        Stage("gold", "data", GOLD, ("optionize", at(TRAIN), "--output", at(GOLD))),
        evaluated("base", model),
        Stage(
            "sft",
            "sft",
            "sft/training.json",
            ("sft", *settings, "--model", model, "--data", at(GOLD), "--output", at("sft")),
        ),
        evaluated("sft", at("sft")),
    ]
    trained = at("sft")
    for index in range(1, iterations + 1):
        name = f"iter{index}"
        traces, pairs, adapter = (f"{name}/{part}" for part in ("traces", "pairs.jsonl", "adapter"))
        asked = ("--model", trained, "--data", at(f"data/{name}.jsonl"), "--seed", str(seed + index))
        preferred = ("--model", trained, "--pairs", at(pairs), "--output", at(adapter))
        found += [
            Stage(
                f"{name} generate",
                "generate",
                f"{traces}/summary.json",
                ("generate", *settings, *asked, "--output", at(traces)),
            ),
            Stage(
                f"{name} pairs",
                "data",
                pairs,
                ("pairs", *settings, at(f"{traces}/traces.jsonl"), "--output", at(pairs)),
            ),
            Stage(f"{name} dpo", "dpo", f"{adapter}/training.json", ("dpo", *settings, *preferred)),
        ]
        trained = at(adapter)
        found.append(evaluated(name, trained))
    return found


REPORT = Stage("report", "report", "summary.json")
"""What the loop does beyond: the comparison of its stages and the page that shows every trace."""


def settings(way: Way, row_tokens: int, overrides: Sequence[str]) -> list[str]:
    """The overrides of a way. `row_tokens`: the length of a packed row that holds one optimizer step's examples."""
    ours = ("sft.batch_size=1", "sft.gradient_accumulation_steps=1", f"sft.max_length={row_tokens}")
    return [*COMMON, *overrides, *(PLAIN if way.plain else ours)]


def choose(names: str, *, resident: bool) -> list[Way]:
    """The ways that are named, in the order in which they run; `resident`: the engine stays through the loop.

    Where it does not, `loop-fresh` is what the loop does anyway, and is left out of all. Errors: ValueError.
    """
    wanted = [name for name in names.split(",") if name]
    known = [name for name in WAYS if resident or not WAYS[name].fresh]
    if names == "all":
        return [WAYS[name] for name in known]
    if unknown := [name for name in wanted if name not in known]:
        raise ValueError(f"no way {', '.join(unknown)} here; there are {', '.join(known)}")
    return [WAYS[name] for name in known if name in wanted]


def starts(way: Way, planned: Sequence[Stage], *, resident: bool) -> tuple[int, int]:
    """How many processes and how many engines a way starts."""
    asked = sum(stage.kind in ("evaluate", "generate") for stage in planned)
    kept = resident and not way.shell and not way.fresh
    return (len(planned) if way.shell else 1), (1 if kept else asked)


def estimate(way: Way, planned: Sequence[Stage], done: Mapping[str, dict[str, Any]], *, resident: bool) -> float:
    """Seconds that a way is likely to take, by the figures of those that are done; 0 where there are none.

    It is a way's work, whoever did it, and what its processes and engines take to start: the longest start of a stage
    that asks a model, and of one that trains.
    """
    if not done:
        return 0.0
    figures = [stage for one in done.values() for stage in one["stages"]]
    engine = max((stage["start_seconds"] for stage in figures if stage["kind"] in ("evaluate", "generate")), default=0)
    process = max((stage["start_seconds"] for stage in figures if stage["kind"] in ("sft", "dpo")), default=0)
    work = max(sum(stage["seconds"] - stage["start_seconds"] for stage in one["stages"]) for one in done.values())
    processes, engines = starts(way, planned, resident=resident)
    return work + processes * process + engines * engine
