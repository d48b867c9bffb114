"""The Options-and-Knowledge loop: SFT, then generate, verify, pair, train and evaluate, again and again.

Contract: what is done is written in the run folder (`run`). A loop that was killed goes on where it stopped. `tell` is
the order of the stages, for a run and for a plan of it alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sokrates.asking import Askers
from sokrates.baselines import BASELINES, Loop
from sokrates.config import Config
from sokrates.console import say
from sokrates.plan import Plan
from sokrates.run import Agree, Run
from sokrates.scores import Results, read_results
from sokrates.story import Stages


def keep(changes: Sequence[str], parts: Sequence[Path]) -> bool:
    """Agree to nothing being removed."""
    return False


def run(config: Config, agree: Agree = keep) -> Results:
    """The whole loop; see the module's contract. `agree`, errors: as `Run.begun`."""
    with Askers(config, rank=_largest_rank(config)) as askers:
        this = Run(config, askers)
        with this.begun(agree) as finished:
            if finished:
                return read_results(this.root)
            tell(this)
            return this.finish()


def plan(config: Config) -> Plan:
    """What `run` would do, with nothing done. Errors: as `Plan`."""
    this = Plan(config)
    tell(this)
    return this


def _largest_rank(config: Config) -> int:
    """Of all adapters of a loop: stacked ones grow by each iteration's."""
    grown = config.oak_loop.num_iterations * config.dpo.lora.r if config.dpo.adapter_mode == "stack" else 0
    return config.sft.lora.r + grown


def tell(this: Stages) -> None:
    """Every stage in its order."""
    config = this.config
    with this.timed("data"):
        splits = this.splits()
        gold = this.gold(splits.train)
        this.examine(splits.evaluation)
    this.evaluate("base", config.model)
    start = this.sft("sft", gold, config.model)
    this.evaluate("sft", start)
    model, steps = start, 0
    for index, problems in enumerate(splits.iterations, start=1):
        name = f"iter{index}"
        traces = this.sample(name, model, problems, index)
        trained = this.dpo(name, traces, model)
        if trained is None:
            say(f"{name}: no problem has both a valid trace and a worse one; the loop ends here")
            break
        model, taken = trained
        steps += taken
        this.evaluate(name, model)
    done = Loop(splits.iterations, gold, start, model, steps)
    for name in config.oak_loop.baselines:
        BASELINES[name](this, done)
