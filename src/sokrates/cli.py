"""The program `sokrates`: one command a stage.

Contract: results go to standard output or the named files, news and progress to standard error. Exit status 0 when the
work was done, 1 when `recheck` finds what differs, 2 for what the user can mend (one message, no traceback), 130 when
interrupted. Everything heavy is imported inside the command that needs it, so that `--help` answers at once.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sokrates import __version__, ranks
from sokrates.cli_options import given, options
from sokrates.config import (
    Config,
    DataConfig,
    DPOConfig,
    EvaluationConfig,
    GenerationConfig,
    HardwareConfig,
    LoopConfig,
    PairsConfig,
    SFTConfig,
    dump,
    load,
)
from sokrates.console import Listing, print_table, progress, say, trace_progress
from sokrates.disk import explain
from sokrates.errors import SokratesError
from sokrates.stage import claimed

if TYPE_CHECKING:
    from sokrates.jsonl import SetAside
    from sokrates.problems import Problem
    from sokrates.traces.trace import Trace
    from sokrates.training.figures import Figures

Command = TypeVar("Command", bound=Callable[..., Any])
_FILE = click.Path(path_type=Path, dir_okay=False)
_FOLDER = click.Path(path_type=Path, file_okay=False)
_MANY_PROCESSES = ("sft", "dpo")
_TRACKERS = ("tensorboard", "wandb", "trackio")
_FORMATS = ["prontoqa", "logic-lm", "folio", "proofwriter", "plan"]


_REDO = click.option("--redo", is_flag=True, help="Make again, unasked, what changed settings would make otherwise.")


class Program(click.Group):
    """Turns the project's errors into a message and exit status 2; commands are listed in the order of the pipeline."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (SokratesError, OSError) as error:
            who = f"process {ranks.rank()} of {ranks.count()}: " if ranks.count() > 1 else ""
            raise Mendable(f"{who}{explain(error) if isinstance(error, OSError) else error}") from None
        except KeyboardInterrupt:
            say("interrupted; the same command goes on where it stopped")
            raise SystemExit(130) from None


class Mendable(click.ClickException):
    """What the user can mend."""

    exit_code = 2


_DRY_RUN = "Print the resolved configuration (loop and demo: and what they would do, as news) and stop."


def configured(command: Command) -> Command:
    """The options that every configured command has: a file, dotted overrides, and a dry run."""
    command = click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")(command)
    command = click.option("--dry-run", is_flag=True, help=_DRY_RUN)(command)
    return click.option("--config", "config_file", type=_FILE, help="YAML file under the options.")(command)


def skips_bad(command: Command) -> Command:
    return click.option("--skip-bad", is_flag=True, help="Set unusable records aside in a file of their own.")(command)


def uses_workers(command: Command) -> Command:
    text = "Processes for what needs z3; 1 works in this one.  [default: one a processor]"
    return click.option("--workers", type=click.IntRange(min=1), help=text)(command)


def tracked(command: Command) -> Command:
    text = "tensorboard, wandb, trackio, or none; may be repeated.  [default: tensorboard]"
    return click.option("--track", multiple=True, type=click.Choice([*_TRACKERS, "none"]), help=text)(command)


def _tracking(track: Sequence[str]) -> list[str]:
    """The override for the trackers that were given, none being none of them."""
    return [f"tracking.trackers={json.dumps([name for name in track if name != 'none'])}"] if track else []


def resolve(params: dict[str, Any], *sections: str) -> Config:
    """The configuration: file, then overrides, then the options that were given. Ends the program on a dry run."""
    config = _resolved(params, *sections)
    if params["dry_run"]:
        click.echo(dump(config), nl=False)
        raise SystemExit(0)
    return config


def _resolved(params: dict[str, Any], *sections: str) -> Config:
    options_given = [override for section in sections for override in given(section, params)]
    options_given += _tracking(params.get("track", ()))
    return load(params["config_file"], [*params["overrides"], *options_given])


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="sokrates")
@click.pass_context
def main(context: click.Context) -> None:
    """Train language models to prove: every step of a trace is checked by a sound symbolic solver.

    \b
    sokrates demo                                          the whole loop on a laptop, with the embedded model
    sokrates data generate --num-problems 500 --output problems.jsonl
    sokrates validate problems.jsonl --output outputs/validation
    sokrates optionize problems.jsonl --output gold.jsonl
    sokrates sft --model embedded --data gold.jsonl --output outputs/sft
    sokrates generate --model outputs/sft --data problems.jsonl --output outputs/traces
    sokrates dpo --traces outputs/traces/traces.jsonl --model outputs/sft --output outputs/dpo
    """
    # Read when torch is loaded. Threads that spin while they wait slow a shared machine down several times.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # To look whether there is a GPU does not initialise it then: vLLM's process can be a fork of this one.
    os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
    if ranks.count() > 1 and context.invoked_subcommand not in _MANY_PROCESSES:
        raise SokratesError(
            f"{context.invoked_subcommand} runs in one process, not in {ranks.count()}; "
            f"expected {' or '.join(_MANY_PROCESSES)} where several are launched"
        )
    if not ranks.is_main():
        os.environ["TQDM_DISABLE"] = "1"
        context.with_resource(_silence())


@main.group()
def data() -> None:
    """Make problems, or read those of a data set."""


@data.command("generate")
@click.option("--hops", nargs=2, type=int, default=(1, 5), show_default=True, help="Fewest and most hops.")
@click.option("--num-problems", type=click.IntRange(min=1), default=100, show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=42, show_default=True)
@options(DataConfig, "entities", "distractors", "second_facts", "label_mix")
@click.option("--output", type=_FILE, required=True, help="JSON lines.")
def data_generate(
    hops: tuple[int, int],
    num_problems: int,
    seed: int,
    entities: int | None,
    distractors: float | None,
    second_facts: float | None,
    label_mix: tuple[float, float, float] | None,
    output: Path,
) -> None:
    """Make PrOntoQA-style problems, each label checked by the solver.

    \b
    sokrates data generate --hops 1 5 --num-problems 1000 --seed 7 --output problems.jsonl
    """
    from sokrates import jsonl
    from sokrates.problems.generator import GeneratorSettings, generate

    chosen = {"entities": entities, "distractors": distractors, "second_facts": second_facts, "mix": label_mix}
    settings = GeneratorSettings(*hops, **{key: value for key, value in chosen.items() if value is not None})  # type: ignore[arg-type]
    with progress("problems", num_problems, "problems") as advance:
        written = jsonl.write(output, _watched(generate(num_problems, settings, seed), advance))
    say(f"{written} problems in {output}")


@data.command("import")
@click.option("--format", "format_", type=click.Choice(_FORMATS), required=True)
@click.argument("input_", metavar="INPUT", type=_FILE)
@click.option("--output", type=_FILE, required=True, help="JSON lines.")
@skips_bad
def data_import(format_: Any, input_: Path, output: Path, skip_bad: bool) -> None:
    """Read a data set's own format; every label is checked against what the premises entail (ProofWriter's: derive).

    \b
    sokrates data import --format prontoqa dev_base.jsonl --output problems.jsonl
    sokrates data import --format folio folio-validation.jsonl --output folio.jsonl --skip-bad
    """
    from sokrates import jsonl
    from sokrates.problems.readers import read_problems

    aside = _aside(output, skip_bad)
    problems = list(read_problems(input_, format_, set_aside=aside))
    jsonl.write(output, problems)
    say(f"{len(problems)} problems in {output}")
    _report_aside(aside)
    _report_problems(problems)


@main.command()
@click.argument("problems", type=_FILE)
@click.option("--output", type=_FILE, required=True, help="JSON lines of verified traces.")
@options(GenerationConfig, "max_steps")
@options(DataConfig, "wander", "seed")
@uses_workers
@skips_bad
def optionize(
    problems: Path,
    output: Path,
    max_steps: int | None,
    wander: float | None,
    seed: int | None,
    workers: int | None,
    skip_bad: bool,
) -> None:
    """Write gold traces: the shortest proof found of each problem, verified; problems without one are listed beside.

    With --wander, a share of them takes valid steps that the proof does not need: a small model learns to search from
    these, and from shortest proofs to guess where to start. Exit status 0 also where problems stay unsolved: that is a
    result; 2 for broken input.

    \b
    sokrates optionize problems.jsonl --output gold.jsonl
    sokrates optionize problems.jsonl --output gold.jsonl --wander 0.5
    """
    from sokrates import jsonl
    from sokrates.problems.readers import read_problems
    from sokrates.verification.looking import look_around
    from sokrates.verification.validate import Coverage, validated

    aside = _aside(output, skip_bad)
    data = DataConfig()
    limit = max_steps or GenerationConfig().max_steps
    coverage = Coverage()
    unsolved: list[dict[str, str]] = []
    too_long = 0
    listing = Listing()
    with progress("optionize", None, "problems") as advance:

        def gold_traces() -> Iterator[Trace]:
            nonlocal too_long
            loaded = read_problems(problems, set_aside=aside)
            for done in validated(loaded, max_steps=limit, workers=_workers(workers)):
                coverage.add(done)
                advance()
                if done.message:
                    listing.add("label", done.message)
                if done.classically:
                    listing.add("classically", done.classically)
                too_long += done.too_long
                if done.unsolved:
                    unsolved.append({"problem_id": done.problem_id, "reason": done.unsolved})
                    listing.add("no gold trace", f"{done.problem_id}: {done.unsolved}")
                if done.gold:
                    yield done.gold

        share, chosen = wander or data.wander, data.seed if seed is None else seed
        jsonl.write(output, look_around(gold_traces(), share, chosen, max_steps=limit))
    listing.close()
    if unsolved:
        listed = output.with_name(f"{output.stem}.unsolved.jsonl")
        jsonl.write(listed, unsolved)
        say(f"{len(unsolved)} problems without a gold trace in {listed}")
    _report_aside(aside)
    counts = coverage.summary()
    differ = counts["total"] - counts["labels_agree"] - counts["unlabelled"]
    click.echo(
        f"{counts['total']} problems: {counts['labels_agree']} labels agree, {differ} differ; "
        f"{counts['gold_found']} gold traces, {counts['gold_valid']} of them valid; {len(unsolved)} unsolved"
    )
    if too_long:
        say(f"{too_long} gold traces are longer than --max-steps {limit}: raise it to have them")


@main.command()
@click.argument("problems", type=_FILE)
@click.option("--output", type=_FOLDER, required=True, help="Folder for the results.")
@options(GenerationConfig, "max_steps")
@uses_workers
@skips_bad
def validate(problems: Path, output: Path, max_steps: int | None, workers: int | None, skip_bad: bool) -> None:
    """Prove, with no model, that a data set's labels and gold traces pass the verifier.

    The folder gets summary.json, gold.jsonl (verified gold traces), unsolved.jsonl (problems without one, and why) and
    labels.jsonl (labels that differ or cannot be decided). Exit status 0 also where problems stay unsolved: that is a
    result; 2 for broken input, and for a gold trace that does not verify.

    \b
    sokrates validate problems.jsonl --output outputs/validation
    """
    from sokrates.problems.readers import read_problems
    from sokrates.report.coverage import coverage_table
    from sokrates.verification.validate import validate_file

    aside = _aside(output / "problems.jsonl", skip_bad)
    limit = max_steps or GenerationConfig().max_steps
    with progress("validate", None, "problems") as advance:
        summary = validate_file(
            read_problems(problems, set_aside=aside),
            problems,
            output,
            max_steps=limit,
            set_aside=aside,
            workers=_workers(workers),
            on_problem=advance,
        )
    _report_aside(aside)
    print_table(coverage_table(summary))
    say(f"gold traces, unsolved problems, labels and summary in {output}")


@main.command()
@click.option("--model", help="embedded, a hub name, a model folder, or an adapter folder to train on.")
@click.option("--data", "data_file", type=_FILE, required=True, help="Gold traces, as optionize writes them.")
@click.option("--output", type=_FOLDER, required=True, help="Adapter folder.")
@options(SFTConfig, "num_epochs", "batch_size", "learning_rate", "max_length", "seed")
@options(HardwareConfig, "require_flash")
@tracked
@configured
def sft(**params: Any) -> None:
    """Fine-tune a LoRA adapter on gold traces, until its held-out loss stops falling.

    \b
    sokrates sft --model embedded --data gold.jsonl --output outputs/sft
    sokrates sft --model Qwen/Qwen3-8B --data gold.jsonl --output outputs/sft sft.lora.r=32
    """
    config = resolve(params, "", "sft", "hardware")
    from sokrates import jsonl
    from sokrates.traces.trace import Trace
    from sokrates.training import processes
    from sokrates.training.stages import fine_tune

    _use_threads(config)
    traces = list(jsonl.read(params["data_file"], Trace))
    with claimed(params["output"]):
        result = fine_tune(traces, config.model, config, params["output"])
    processes.part()
    losses = [entry.loss for entry in result.heldout_losses]
    _report_figures(result.figures)
    told = f", held-out loss {min(losses):.4f}" if losses else ""
    say(f"{result.examples} traces, {result.steps} steps{told}; adapter in {params['output']}")


@main.command()
@click.option("--model", help="embedded, a hub name, a model folder, or an adapter folder.")
@click.option("--data", "data_file", type=_FILE, required=True, help="Problems, as data writes them.")
@click.option("--output", type=_FOLDER, required=True, help="Folder for traces.jsonl and summary.json.")
@options(
    GenerationConfig,
    "num_problems",
    "samples_per_problem",
    "max_steps",
    "temperature",
    "top_p",
    "max_thought_tokens",
    "max_action_tokens",
    "max_batch",
    "seed",
    "engine",
    "stepwise",
    "guide",
    "tensor_parallel_size",
    "gpu_memory",
    "max_lora_rank",
    "replicas",
    "address",
    "solver_type",
)
@configured
@skips_bad
def generate(**params: Any) -> None:
    """Sample traces from a model and verify every step as they come.

    \b
    sokrates generate --model outputs/sft --data problems.jsonl --output outputs/traces \\
        --num-problems 1500 --samples-per-problem 4 --temperature 0.7
    """
    config = resolve(params, "", "trace_generation")
    from sokrates.asking import load_asker
    from sokrates.clock import Clock
    from sokrates.generation import generate_traces, select, within_window

    aside = _aside(params["output"] / "problems.jsonl", params["skip_bad"])
    generation = config.trace_generation
    problems = select(_problems(params["data_file"], aside), generation.num_problems, generation.seed)
    _use_threads(config)
    clock = Clock()
    with clock.part("load"):
        asker = load_asker(config.model, config)
    if aside is not None:
        problems = within_window(problems, asker, params["data_file"], aside)
    _report_aside(aside)
    total = len(problems) * generation.samples_per_problem
    with claimed(params["output"]), trace_progress("generate", total) as on_trace:
        summary = generate_traces(problems, asker, generation, params["output"], config, on_trace=on_trace, clock=clock)
    say(
        "seconds: "
        + ", ".join(f"{name} {seconds:.1f}" for name, seconds in summary["seconds"].items())
        + f"; time lost to verification {summary['verification_share']:.2%}"
    )
    _echo_summary(summary, params["output"])


@main.command()
@click.argument("traces", type=_FILE)
@click.option("--output", type=_FOLDER, required=True, help="Folder for traces.jsonl and summary.json.")
@uses_workers
@skips_bad
def verify(traces: Path, output: Path, workers: int | None, skip_bad: bool) -> None:
    """Check every step of a file of traces, afresh, as a stream of any length.

    \b
    sokrates verify outputs/traces/traces.jsonl --output outputs/verified
    """
    from sokrates.verification.files import verify_file

    aside = _aside(output / "traces.jsonl", skip_bad)
    with progress("verify", None, "traces") as advance:
        summary = verify_file(
            traces,
            output,
            set_aside=aside,
            workers=_workers(workers),
            on_trace=lambda share: advance(note=_of_the_file(share)),
        )
    _report_aside(aside)
    _echo_summary(summary, output)


@main.command()
@click.argument("traces", type=_FILE)
@click.option("--output", type=_FOLDER, help="Folder for differences.jsonl and summary.json.")
@uses_workers
def recheck(traces: Path, output: Path | None, workers: int | None) -> None:
    """Verify a file of verified traces again from nothing, and say which verdicts differ.

    Prints the first 20 differences, then what was counted. Exit status 0 where every stored verdict and certificate
    stands, 1 where a verdict differs, a trace was edited since it was verified, or was never verified, 2 for broken
    input. A verdict by another version of the kernel is counted, and is fine where it comes out the same.

    \b
    sokrates recheck outputs/verified/traces.jsonl
    sokrates recheck outputs/verified/traces.jsonl --output outputs/recheck
    """
    from contextlib import ExitStack

    from sokrates import jsonl
    from sokrates.verification.recheck import Counts
    from sokrates.verification.recheck import recheck as checked_again

    counts, printed = Counts(), 0
    with ExitStack() as stack:
        file = stack.enter_context(jsonl.atomic(output / "differences.jsonl")) if output else None
        advance = stack.enter_context(progress("recheck", None, "traces"))
        for share, found in checked_again(traces, counts, workers=_workers(workers)):
            advance(note=_of_the_file(share))
            if found and file:
                file.write(jsonl.encode(found))
            for line in found.lines(traces) if found else []:
                printed += 1
                if printed <= 20:
                    click.echo(line)
    if printed > 20:
        click.echo(f"and {printed - 20} more" + (f" in {output / 'differences.jsonl'}" if output else ""))
    if output:
        jsonl.write_json(output / "summary.json", counts)
    click.echo(counts.sentence())
    if not counts.confirmed:
        raise SystemExit(1)


@main.command()
@click.argument("traces", type=_FILE)
@click.option("--output", type=_FILE, required=True, help="JSON lines of preference pairs.")
@options(PairsConfig, "min_gap", "max_pairs_per_problem", "compared", "signal")
@configured
def pairs(**params: Any) -> None:
    """Turn verified traces into preference pairs: a fully valid trace over a worse one of the same problem.

    \b
    sokrates pairs outputs/traces/traces.jsonl --output pairs.jsonl
    """
    config = resolve(params, "preference_pairs")
    from sokrates import jsonl
    from sokrates.traces.trace import Trace
    from sokrates.training.preferences import build_pairs

    found, summary = build_pairs(jsonl.read(params["traces"], Trace), config.preference_pairs)
    jsonl.write(params["output"], found)
    _echo_json(summary)


@main.command()
@click.option("--traces", type=_FILE, help="Verified traces, as generate writes them.")
@click.option("--pairs", "pairs_file", type=_FILE, help="Or preference pairs, as pairs writes them.")
@click.option("--model", help="The adapter folder to train on; its frozen self is the reference.")
@click.option("--output", type=_FOLDER, required=True, help="Adapter folder.")
@options(DPOConfig, "num_epochs", "batch_size", "learning_rate", "beta", "max_length", "adapter_mode", "seed")
@options(HardwareConfig, "require_flash")
@tracked
@configured
def dpo(**params: Any) -> None:
    """Train an adapter to prefer proofs, with DPO.

    \b
    sokrates dpo --traces outputs/traces/traces.jsonl --model outputs/sft --output outputs/dpo
    """
    config = resolve(params, "", "dpo", "hardware")
    from sokrates import jsonl
    from sokrates.traces.trace import Trace
    from sokrates.training import processes
    from sokrates.training.preferences import Pair
    from sokrates.training.stages import fitting_pairs, prefer

    if (params["traces"] is None) == (params["pairs_file"] is None):
        raise SokratesError("give either --traces or --pairs")
    if params["pairs_file"]:
        found = list(jsonl.read(params["pairs_file"], Pair))
    else:
        traces = list(jsonl.read(params["traces"], Trace))
        found, summary, left_out = fitting_pairs(traces, config.model, config)
        say(f"{left_out} pairs beyond dpo.max_length = {config.dpo.max_length} left out")
        _echo_json(summary)
    _use_threads(config)
    with claimed(params["output"]):
        result = prefer(found, config.model, config, params["output"])
    processes.part()
    _report_figures(result.figures)
    say(
        f"{len(found)} pairs, {result.steps} steps, loss {result.loss_at_start:.4f} at the start; adapter in "
        f"{params['output']}"
    )


@main.command()
@click.option("--merge", "adapter", metavar="MODEL", required=True, help="Adapter folder to merge into its base.")
@click.option("--output", type=_FOLDER, required=True, help="New folder for the merged model.")
@options(HardwareConfig, "device", "dtype")
@configured
def export(**params: Any) -> None:
    """Make one plain model of an adapter and its base, for programs that take no adapters.

    The merged model is loaded again and compared with the adapter before the folder appears: in float32 its
    log-probabilities are the same, in bfloat16 the weights are rounded once more. Training never needs this.

    \b
    sokrates export --merge outputs/dpo --output outputs/merged --dtype bfloat16
    """
    config = resolve(params, "hardware")
    from sokrates.training.export import merge

    _use_threads(config)
    result = merge(params["adapter"], config, params["output"])
    say(
        f"{params['output']}: {result.dtype} model; over {result.tokens} tokens its log-probabilities are at most "
        f"{result.largest_difference:.2g} nats from the adapter's (allowed: {result.tolerance:g})"
    )


@main.command()
@click.option("--model", help="embedded, a hub name, a model folder, or an adapter folder.")
@click.option("--data", "data_file", type=_FILE, required=True, help="Problems, as data writes them.")
@click.option("--output", type=_FOLDER, required=True, help="Folder for traces, summary and results.json.")
@options(EvaluationConfig, "problems", "temperature")
@configured
@skips_bad
def evaluate(**params: Any) -> None:
    """Measure a model on problems: accuracy, sound validity and their intervals, by hops and by label.

    \b
    sokrates evaluate --model outputs/dpo --data dev.jsonl --output outputs/evaluation --problems 200
    """
    config = resolve(params, "", "evaluation")
    from sokrates import evaluation
    from sokrates.asking import load_asker
    from sokrates.clock import Clock
    from sokrates.generation import select, within_window
    from sokrates.metrics import breakdown
    from sokrates.report.table import results_table

    aside = _aside(params["output"] / "problems.jsonl", params["skip_bad"])
    problems = select(_problems(params["data_file"], aside), config.evaluation.problems, config.evaluation.seed)
    _use_threads(config)
    clock = Clock()
    with clock.part("load"):
        asker = load_asker(config.model, config)
    if aside is not None:
        problems = within_window(problems, asker, params["data_file"], aside)
    _report_aside(aside)
    with claimed(params["output"]), trace_progress("evaluate", len(problems)) as on_trace:
        row = evaluation.evaluate(problems, asker, "model", params["output"], config, on_trace=on_trace, clock=clock)
    print_table(results_table([row, *evaluation.reference_rows(problems)]))
    print_table(results_table(breakdown(row)))


@main.command()
@click.argument("run", type=_FOLDER)
@click.option("--output", type=_FILE, help="Where to write it.  [default: report.html in the folder]")
def report(run: Path, output: Path | None) -> None:
    """Write what a run found as one HTML page that needs no network: tables, curves, and every trace to be explored.

    RUN is a folder of `sokrates loop` or `demo`, whole or not yet, or any folder with a traces.jsonl.

    \b
    sokrates report outputs/demo
    sokrates report outputs/traces --output traces.html
    """
    from sokrates.report.document import write_report

    target = write_report(run, output)
    say(f"{target}: {target.stat().st_size / 1e6:.1f} MB, to be opened in a browser")


@main.command()
@click.argument("runs", type=_FOLDER, nargs=-1, required=True)
@click.option("--output", type=_FILE, help="The figures as JSON.")
def compare(runs: tuple[Path, ...], output: Path | None) -> None:
    """Take several runs of one configuration with different seeds together: Markdown tables of means and intervals.

    \b
    sokrates compare outputs/experiment-42 outputs/experiment-43 > results.md
    """
    from sokrates import jsonl
    from sokrates.compare import compare as compared
    from sokrates.compare import comparison_markdown

    found = compared(runs)
    if output:
        jsonl.write_json(output, found)
    click.echo(comparison_markdown(found, len(runs)), nl=False)


@main.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("names", nargs=-1, metavar="[STAGE] PROBLEM_ID")
@click.option("--sample", type=click.IntRange(min=0), help="Which of its samples.  [default: the first]")
def show(source: Path, names: tuple[str, ...], sample: int | None) -> None:
    """Print one trace with its verdicts: from a file of traces, or from a stage of a run (the last that was measured).

    \b
    sokrates show outputs/traces/traces.jsonl eval-0-42-17
    sokrates show outputs/demo iter2 eval-0-42-17
    """
    from sokrates.report.show import find_trace, print_trace

    if len(names) not in (1, 2):
        raise click.UsageError("expected a problem's id, or a stage and an id")
    stage = names[0] if len(names) == 2 else None
    print_trace(find_trace(source, stage, names[-1], sample))


@main.command("options")
def options_() -> None:
    """Print the rules of inference: what each takes, gives and needs, with a worked example.

    \b
    sokrates options > docs/options.md
    """
    from sokrates.report.options import options_page

    click.echo(options_page(), nl=False)


@main.command()
@options(LoopConfig, "output", "num_iterations")
@click.option("--model", help="embedded, a hub name, or a model folder.")
@_REDO
@configured
def loop(redo: bool, **params: Any) -> None:
    """Run SFT and then the loop: generate, verify, pair, train, evaluate, again and again. Goes on where it stopped.

    Where the folder was begun with other settings, it says which parts would come out differently, and asks.

    \b
    sokrates loop --config configs/training.yaml --output outputs/oak oak_loop.num_iterations=3
    """
    _run_loop(_resolved(params, "", "oak_loop"), redo, params["dry_run"])


@main.command()
@options(LoopConfig, "output")
@_REDO
@configured
def demo(redo: bool, **params: Any) -> None:
    """Run the whole loop on a CPU with the embedded model, in minutes.

    \b
    sokrates demo
    sokrates demo oak_loop.num_iterations=3 data.loop_problems=400
    """
    params["config_file"] = params["config_file"] or _demo_config()
    _run_loop(_resolved(params, "oak_loop"), redo, params["dry_run"])


@main.command()
@click.option("--output", type=_FOLDER, required=True, help="Model folder.")
@configured
def pretrain(**params: Any) -> None:
    """Make the embedded model from nothing (on a GPU, minutes).

    \b
    sokrates pretrain --output outputs/embedded pretrain.seconds=540 pretrain.num_workers=15
    """
    config = resolve(params, "pretrain")
    from sokrates.training.pretrain import pretrain as train

    with claimed(params["output"]):
        result = train(
            config.pretrain,
            params["output"],
            on_step=lambda step, loss, done, _: say(f"{done:6.1%} step {step}: {loss:.4f}"),
        )
    say(
        f"{result.steps} steps, {result.tokens} tokens in {result.seconds:.0f} s, {result.waited:.0f} of them waiting "
        f"for problems; model in {params['output']}"
    )


def _report_figures(figures: Figures) -> None:
    from rich.table import Table

    from sokrates.training.figures import rows

    table = Table(show_header=False)
    for row in rows(figures):
        table.add_row(*row)
    print_table(table)


@contextmanager
def _silence() -> Iterator[None]:
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        yield


def _run_loop(config: Config, redo: bool, dry_run: bool) -> None:
    if dry_run:
        click.echo(dump(config), nl=False)
        _print_plan(config)
        return
    from transformers.utils.logging import disable_progress_bar

    from sokrates.oak import run
    from sokrates.report.table import differences_table, results_table

    disable_progress_bar()  # one bar for each of many loads of a model
    _use_threads(config)
    if not sys.stderr.isatty():
        os.environ.setdefault("TQDM_DISABLE", "1")
    results = run(config, lambda changes, parts: redo or _agreed(changes, parts))
    for name, found in {"": results, **results.transfer}.items():
        if name:
            click.echo(f"{name}\n")
        print_table(results_table([*found.rows, *found.references]))
        print_table(differences_table(found.differences))
    say(f"run folder: {config.oak_loop.output}; report.html in it shows every trace")


def _print_plan(config: Config) -> None:
    """What the loop would do, as news: standard output is the configuration's alone, to be piped."""
    from sokrates.oak import plan
    from sokrates.report.planned import notes, planned_table

    planned = plan(config)
    print_table(planned_table(planned.stages), as_news=True)
    for line in (*planned.remarks(), *notes(planned.stages)):
        say(line)


def _agreed(changes: Sequence[str], parts: Sequence[Path]) -> bool:
    """Whether a person who sits there says that parts of a run may be made again."""
    if not sys.stdin.isatty():
        return False
    say(f"changed: {'; '.join(changes)}")
    say(f"to be made again: {', '.join(map(str, parts))}")
    return click.confirm("Remove them and go on?", err=True)


def _demo_config() -> Path:
    from importlib.resources import files

    return Path(str(files("sokrates"))) / "configs" / "demo.yaml"


def _problems(path: Path, aside: SetAside | None) -> list[Problem]:
    from sokrates.problems.readers import read_problems

    return list(read_problems(path, "plan", set_aside=aside))


def _workers(given: int | None) -> int:
    from sokrates.verification.pool import available_cpus

    return given or available_cpus()


def _of_the_file(share: float) -> str:
    return f"{share:.0%} of the file"


def _watched(records: Any, advance: Callable[..., None]) -> Any:
    for record in records:
        yield record
        advance()


def _aside(output: Path, skip_bad: bool) -> SetAside | None:
    from sokrates.jsonl import SetAside

    return SetAside(output.with_name(f"{output.stem}.set-aside.jsonl")) if skip_bad else None


def _report_aside(aside: SetAside | None) -> None:
    if aside is not None:
        count = aside.close()
        say(f"{count} records set aside" + (f" in {aside.path}" if count else ""))


def _report_problems(problems: Sequence[Problem]) -> None:
    """Name what the reader changed, the labels that cannot be right, and those that only chaining gives."""
    from sokrates.problems.labels import classical_difference, label_error

    listing = Listing()
    for problem in problems:
        for note in problem.notes:
            listing.add("note", f"{problem.problem_id}: {note}")
        if error := label_error(problem):
            listing.add("label", error)
        if difference := classical_difference(problem):
            listing.add("classically", difference)
    listing.close()


def _use_threads(config: Config) -> None:
    if config.hardware.num_threads:
        import torch

        torch.set_num_threads(config.hardware.num_threads)


def _echo_summary(summary: dict[str, Any], output: Path) -> None:
    shown = ("total_traces", "accuracy", "step_validity", "trace_validity", "entailed_rate", "published_rate")
    click.echo("  ".join(f"{key} {summary[key]:.4g}" for key in shown))
    say(f"traces and summary in {output}")


def _echo_json(record: Any) -> None:
    import msgspec

    click.echo(msgspec.json.format(msgspec.json.encode(record), indent=2).decode())
