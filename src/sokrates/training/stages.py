"""The two training stages as the command line and the loop run them: from records and a model's name to an adapter.

Contract: the output folder holds the adapter, its tokenizer, `prompt.json` (the style it was trained with, its base's
where that has one), `config.yaml` and `training.json`; what a killed stage left behind is never read as whole.
The trainers' libraries are imported when there is something to train.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sokrates import models, stage
from sokrates.config import Config, dump
from sokrates.errors import SokratesError
from sokrates.traces.prompt import STYLE_FILE, PromptStyle
from sokrates.traces.trace import Trace
from sokrates.training import trackers
from sokrates.training.data import Example
from sokrates.training.examples import examples, pair_ids
from sokrates.training.preferences import Pair, PairsSummary, build_pairs

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from sokrates.training.dpo import DPOResult
    from sokrates.training.sft import SFTResult


def default_style(config: Config) -> PromptStyle:
    """The configured style, for models that bring none."""
    return PromptStyle(**config.prompt.model_dump())


def _reader(model_name: str, config: Config) -> tuple[PreTrainedTokenizerBase, PromptStyle]:
    """What turns text into a model's tokens, and how it wants to be asked."""
    style = models.style(models.resolve(model_name), default_style(config))
    return models.load_tokenizer(model_name), style


def fine_tune(
    traces: Sequence[Trace],
    model_name: str,
    config: Config,
    output: Path,
    *,
    label: str = "sft",
    progress: bool = True,
) -> SFTResult:
    """SFT of a model (a new adapter) or of an adapter (trained on) on traces; some are held out by the seed. `label` is
    what the bar calls it.

    Errors: SokratesError for no traces, a trace that is too long, or a model that cannot be loaded.
    """
    from sokrates.training.sft import train_sft

    trackers.check(config.tracking.trackers)
    paths = models.resolve(model_name)
    tokenizer, style = _reader(model_name, config)
    prepared = list(examples(traces, tokenizer, style))
    random.Random(config.sft.seed).shuffle(prepared)
    training, heldout = held_out(prepared, config.sft.heldout_fraction)
    if not training:
        raise SokratesError(
            f"{len(prepared)} traces to train on, {len(heldout)} of them held out: expected those of one more problem"
        )
    model = models.load_model(model_name, device=config.hardware.device, dtype=config.hardware.dtype, trainable=True)
    return train_sft(
        model,
        tokenizer,
        training,
        config.sft,
        output,
        base_name=paths.base_name,
        extras=_extras(style, config),
        heldout=heldout,
        require_flash=config.hardware.require_flash,
        label=label,
        progress=progress,
        trackers=config.tracking.trackers,
    )


def held_out(examples: Sequence[Example], share: float) -> tuple[list[Example], list[Example]]:
    """The examples to train on, and a share of all that is held out: the first problems', each with all that it has,
    for the loss would otherwise be measured on problems that are learned."""
    by_problem: defaultdict[str, list[Example]] = defaultdict(list)
    for example in examples:
        by_problem[example.id].append(example)
    held: list[Example] = []
    for group in by_problem.values():
        if len(held) < round(len(examples) * share):
            held += group
    names = {example.id for example in held}
    return [example for example in examples if example.id not in names], held


def fitting(traces: Sequence[Trace], max_length: int) -> list[Trace]:
    """The traces that training can read whole: a sampled text may run on beyond `max_length` tokens."""
    return [trace for trace in traces if trace.prompt_tokens + trace.completion_tokens < max_length]


def fitting_pairs(traces: Sequence[Trace], model_name: str, config: Config) -> tuple[list[Pair], PairsSummary, int]:
    """The pairs of traces that training can read, what became of the problems, and how many were too long for it.

    Errors: as `build_pairs`, and for a model that is not there.
    """
    tokenizer, style = _reader(model_name, config)
    too_long = 0

    def fits(pair: Pair) -> bool:
        nonlocal too_long
        (ids,) = pair_ids([pair], tokenizer, style)
        too_long += ids.length > config.dpo.max_length
        return ids.length <= config.dpo.max_length

    pairs, summary = build_pairs(traces, config.preference_pairs, fits)
    return pairs, summary, too_long


def prefer(
    pairs: Sequence[Pair],
    model_name: str,
    config: Config,
    output: Path,
    *,
    label: str = "dpo",
    progress: bool = True,
) -> DPOResult:
    """DPO of an adapter on preference pairs, its frozen self the reference. `label` is what the bar calls it.

    Errors: SokratesError for no pairs, a pair that is too long, or a name that is no adapter.
    """
    from sokrates.training.dpo import train_dpo

    trackers.check(config.tracking.trackers)
    paths = models.resolve(model_name)
    if paths.adapter is None:
        raise SokratesError(f"{model_name}: DPO trains on from an adapter; make one first with `sokrates sft`")
    if not pairs:
        raise SokratesError(
            "no preference pairs: the traces hold no problem with a valid trace, or a corrected one, and a worse"
        )
    tokenizer, style = _reader(model_name, config)
    prepared = list(pair_ids(pairs, tokenizer, style))
    model = models.load_model(model_name, device=config.hardware.device, dtype=config.hardware.dtype, trainable=True)
    return train_dpo(
        model,
        tokenizer,
        prepared,
        config.dpo,
        output,
        base_name=paths.base_name,
        extras=_extras(style, config),
        require_flash=config.hardware.require_flash,
        label=label,
        progress=progress,
        trackers=config.tracking.trackers,
    )


def _extras(style: PromptStyle, config: Config) -> dict[str, bytes]:
    """What is published with an adapter: how it wants to be asked, and the configuration it was trained with."""
    return {STYLE_FILE: style.encode(), stage.CONFIG: dump(config).encode()}
