"""`sokrates loop` beside the plan's shell loop, which starts a process and loads the model for every stage.

    python -m benchmarks.loop [KEY=VALUE]...

Ways (`loop_ways` says what of the plan belongs to them): our loop; the shell loop, trained the plain way; the same
trained with our settings; and, where the engine can stay, our loop with a new engine for each stage. All do the same
work: the same problems, numbers of samples, epochs, optimizer steps and evaluations; what each has really done is
counted from its files. Stages are timed from outside; start-up is what a stage takes beyond what it says its work took.

Settings of `sokrates` may follow, for all ways alike. A way's figures are written to `--folder` stage by stage; with
the same folder and options, ways that are there are not run again. `--ways ''` only puts the files together.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from benchmarks import loop_ways
from benchmarks.generation_child import PACKAGES, installed
from benchmarks.gpu import describe_gpu
from benchmarks.loop_process import Failed, watch
from benchmarks.loop_report import plot, summarise, table
from benchmarks.loop_ways import REPORT, WAYS, Stage, Way
from benchmarks.machine import PROJECT, describe
from sokrates import jsonl
from sokrates.config import Config, dump, load

RESULTS = PROJECT / "benchmarks" / "results"
PREPARED = "prepared"


@click.command()
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--problems", type=click.IntRange(min=1), help="To train on, and in each iteration.  [60; on a GPU 300]")
@click.option("--evaluated", type=click.IntRange(min=1), help="Problems of each evaluation.  [40; on a GPU 200]")
@click.option("--iterations", type=click.IntRange(min=1), help="Rounds after SFT.  [2; on a GPU 1]")
@click.option("--model", default="embedded", show_default=True, help="embedded, a model folder, or a hub name.")
@click.option("--ways", default="all", show_default=True, help="Names, comma-separated.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option("--within", default=480.0, show_default=True, help="Seconds; a way that would take longer is left out.")
@click.option("--folder", type=Path, help="Folder to work in, and to go on in.  [default: a new one]")
@click.option("--output", type=Path, help="JSON file, the plot beside it.  [default: one in benchmarks/results]")
@click.option("--commit", help="The commit, where the code was copied here without its history.")
def main(
    overrides: tuple[str, ...], problems: int | None, evaluated: int | None, iterations: int | None, model: str,
    ways: str, device: str, within: float, folder: Path | None, output: Path | None, commit: str | None,
) -> None:  # fmt: skip
    """Run the ways, print the tables, and write them as JSON and as a plot."""
    until = time.monotonic() + within
    gpu = device != "cpu" and describe_gpu() is not None
    given = [
        *overrides,
        f"model={model}",
        f"hardware.device={device}",
        f"data.train_problems={problems or (300 if gpu else 60)}",
        f"data.loop_problems={problems or (300 if gpu else 60)}",
        f"data.eval_problems={evaluated or (200 if gpu else 40)}",
        f"oak_loop.num_iterations={iterations or (1 if gpu else 2)}",
    ]
    folder = (folder or Path(tempfile.mkdtemp(prefix="sokrates-loop-"))).resolve()
    bench = Bench(folder, given, commit)
    try:
        chosen = loop_ways.choose(ways, resident=bench.resident)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    target = output or RESULTS / f"loop-{'gpu' if gpu else 'cpu'}.json"
    for way in chosen:
        bench.run(way, until)
        bench.write(target)
    summary = bench.write(target)
    print(table(summary))
    print(f"written: {target}; the run folders: {folder / 'ways'}")
    if find_spec("matplotlib") is None:
        print("no plot: matplotlib is not installed")
    else:
        plot(summary, target.with_suffix(".png"))


class Bench:
    """The folder of a benchmark: `NAME.json` of each way that was run, and its run folder in `ways/NAME`."""

    def __init__(self, folder: Path, given: Sequence[str], commit: str | None) -> None:
        """Make the problems, or take those that are there. Errors: click.UsageError for a folder of other settings."""
        self.folder, self.given, self.commit = folder, list(given), commit
        self.config = self._config([*loop_ways.COMMON, *given], folder / PREPARED)
        generation = self.config.trace_generation
        on_cuda = self.config.hardware.device != "cpu" and describe_gpu() is not None
        self.resident = generation.engine == "vllm" or (
            generation.engine == "auto" and on_cuda and find_spec("vllm") is not None
        )
        note = folder / f"{PREPARED}.json"
        if not note.is_file():
            from benchmarks.loop_work import prepare

            jsonl.write_json(note, {"given": self.given, "row_tokens": prepare(self.config)})
        found = jsonl.read_json(note)
        if found["given"] != self.given:
            raise click.UsageError(f"{folder}: begun with {' '.join(found['given'])}; give another --folder")
        self.row_tokens: int = found["row_tokens"]

    def _config(self, overrides: Sequence[str], folder: Path) -> Config:
        return load(None, [*overrides, f"oak_loop.output={folder}"])

    def planned(self, folder: Path) -> list[Stage]:
        config = self.config
        seed = config.trace_generation.seed
        return loop_ways.stages(config.oak_loop.num_iterations, folder.with_suffix(".yaml"), folder, config.model, seed)

    def write(self, target: Path) -> dict[str, Any]:
        """Put what is there together, and into a file."""
        iterations = self.config.oak_loop.num_iterations
        summary = summarise(self.folder, iterations, self.planned(self.folder / "ways" / "loop"))
        jsonl.write_json(target, summary)
        return summary

    def run(self, way: Way, until: float) -> None:
        """Run one way, if it is not there and the time is likely to do; write its figures as they come."""
        done = {name: found for name in WAYS if (found := self._found(name)) and "error" not in found}
        planned = self.planned(self.folder / "ways" / way.name)
        needed = loop_ways.estimate(way, planned, done, resident=self.resident)
        if way.name in done:
            print(f"{way.name}: is there", flush=True)
        elif time.monotonic() + needed > until:
            print(f"{way.name}: left out, it would take about {needed:.0f} s", flush=True)
        else:
            self._run(way, planned, until)

    def _found(self, name: str) -> dict[str, Any] | None:
        file = self.folder / f"{name}.json"
        return jsonl.read_json(file) if file.is_file() else None

    def _run(self, way: Way, planned: Sequence[Stage], until: float) -> None:
        from benchmarks.loop_work import own_seconds, work_done

        folder = self.folder / "ways" / way.name
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "data").mkdir(parents=True)
        for file in (self.folder / PREPARED / "data").glob("*.jsonl"):
            if file.name != Path(loop_ways.GOLD).name:
                shutil.copy(file, folder / "data")
        config = self._config(loop_ways.settings(way, self.row_tokens, self.given), folder)
        settings = folder.with_suffix(".yaml")
        settings.write_text(dump(config))
        whole = {stage.name: stage for stage in [*planned, REPORT]}
        figures: dict[str, Any] = {
            "way": way.name,
            "title": way.title,
            "processes_and_engines": loop_ways.starts(way, planned, resident=self.resident),
            "sft": config.sft.model_dump(),
            "dpo": config.dpo.model_dump(),
            "stages": [],
            "machine": describe(*installed(*PACKAGES), commit=self.commit) | {"gpu": describe_gpu()},
        }

        def on_stage(name: str, measured: dict[str, Any]) -> None:
            figures["stages"].append({"name": name, "kind": whole[name].kind, **measured})
            for stage in figures["stages"]:
                own = own_seconds(folder, whole[stage["name"]])
                stage["start_seconds"] = 0.0 if own is None else round(max(0.0, stage["seconds"] - own), 2)
            jsonl.write_json(self.folder / f"{way.name}.json", figures | {"error": "ended before its end"})
            print(f"{way.name}: {name}: {measured['seconds']:.1f} s", flush=True)

        log = folder.with_suffix(".log")
        try:
            for command, stages in _processes(way, planned, settings):
                marks = {stage.name: folder / stage.mark for stage in stages}
                watch(command, marks, log, until=until, on_stage=on_stage)
            figures["work"] = work_done(folder, config.oak_loop.num_iterations)
        except Failed as error:
            figures["error"] = str(error)
            print(f"{way.name}: failed: {error}", flush=True)
        jsonl.write_json(self.folder / f"{way.name}.json", figures)


def _processes(way: Way, planned: Sequence[Stage], settings: Path) -> list[tuple[list[str], list[Stage]]]:
    """The command of each process of a way, and the stages that it goes through."""
    if way.shell:
        return [([sys.executable, "-m", "sokrates", *stage.command], [stage]) for stage in planned]
    program = ["benchmarks.loop_fresh"] if way.fresh else ["sokrates", "loop"]
    return [([sys.executable, "-m", *program, "--config", str(settings)], [*planned, REPORT])]


if __name__ == "__main__":
    main()
