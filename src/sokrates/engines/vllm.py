"""The engine over vLLM: continuous batching and paged attention, for one model or one adapter of it at a time.

Contract: `engine.Engine`. Tokens are chosen by `vllm_sampler`, and each is looked at here as it comes, as in the other
engines: the same seeds give the same text where the arithmetic is the same. Requests are fed in as places become free,
samples of one prompt side by side, so that the prefix cache computes it once. One `generate` is under way at a time.
vLLM is imported when an engine is made.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import count, islice
from pathlib import Path
from typing import Any

from sokrates import models
from sokrates.config import GenerationConfig, ModelConfig
from sokrates.engines import agreement, vllm_lora, vllm_start
from sokrates.engines.engine import Completion, Request, Sampling, check_window
from sokrates.engines.row import Row, end_tokens, new_row
from sokrates.errors import SokratesError
from sokrates.guides import make_guide
from sokrates.traces import probes
from sokrates.traces.decoding import Decoder
from sokrates.traces.probes import Probe, Probes

MAX_BATCH = 512
WAITING = 64
"""Requests kept waiting inside vLLM beyond those that run, so that no place stays empty."""


class VllmEngine:
    """An engine over `vllm.LLM`.

    `seconds` says where the start went; `prompt_tokens` and `cached_tokens` count, over all requests so far, the tokens
    of the prompts and those of them that the prefix cache had; `difference` is what the last check of agreement found.
    """

    def __init__(
        self,
        name: str,
        *,
        device: str = "auto",
        dtype: str = "auto",
        max_batch: int = MAX_BATCH,
        gpu_memory: float = 0.9,
        tensor_parallel_size: int = 1,
        max_lora_rank: int = 0,
        sampler: type[Any] | None = None,
        sleep_mode: bool = False,
        check: bool = True,
        **options: Any,
    ) -> None:
        """Start vLLM with a model or an adapter (see `models.resolve`).

        `device`, `dtype`: as `models.load_model`. `max_batch`: most samples at a time. `gpu_memory`: the share of each
        GPU that vLLM takes. `max_lora_rank`: room for adapters that come later; 0 is the given adapter's rank.
        `sampler`: a subclass of `vllm_sampler.Sampler`. `sleep_mode` allows `sleep`. `check`: compare the engine's
        log-probabilities with the trainer's (see `agreement`). `options` go to `vllm.LLM`.
        Errors: SokratesError for what cannot be used or started, saying what to do.
        """
        cuda = vllm_start.on_cuda(device)
        vllm_start.check_installed()
        vllm_start.set_environment(cuda)
        if sleep_mode and not cuda:
            raise SokratesError("sleep mode needs a CUDA device: it is the GPU's memory that is given free")
        paths = models.resolve(name)
        config = models.load_config(name)
        tokenizer = models.load_tokenizer(name)
        self.seconds: dict[str, float] = {}
        self.prompt_tokens = self.cached_tokens = 0
        self.window = models.window(config)
        self.difference: agreement.Difference | None = None
        self._decoder = Decoder(tokenizer)
        self._max_batch = max_batch
        self._base_name = paths.base_name
        self._dtype = vllm_start.number_format(dtype, cuda)
        self._largest_rank = vllm_lora.engine_room(paths, max_lora_rank)
        vllm_lora.check_dtype(self._dtype, cuda, self._largest_rank)
        self._sleep_mode = sleep_mode
        self._check = check
        self._probes: Probes | None = None
        self._base_probes: Probes | None = None
        self._asleep = False
        self._adapter: Any = None
        self._adapters = 0
        vllm_start.check_shape(config, cuda, tensor_parallel_size)
        expected = agreement.reference_ahead(name, "cuda" if cuda else "cpu", self._dtype) if check else None
        with self._timed("import"):
            vllm_start.import_vllm(cuda)
        if expected:
            with self._timed("reference"):
                self._probes = expected()
            if not paths.adapter:
                self._base_probes = self._probes
        if cuda:
            vllm_start.check_memory(tensor_parallel_size, gpu_memory)
        settings = {
            "dtype": self._dtype,
            "max_model_len": self.window,
            "max_num_seqs": max_batch,
            "tensor_parallel_size": tensor_parallel_size,
            "enable_prefix_caching": True,
            "enable_sleep_mode": sleep_mode,
            "use_tqdm_on_load": False,
            "logits_processors": [sampler or _default_sampler()],
            **vllm_start.device_options(cuda, max_batch, gpu_memory),
            **vllm_lora.options(self._largest_rank),
        }
        with self._timed("start"):
            self._llm = vllm_start.start(paths.base, settings | options)
        self._engine = self._llm.llm_engine
        named = self._llm.model_config.try_get_generation_config().get("eos_token_id")
        self._ends = ends = end_tokens(named, tokenizer)
        self._guide = lru_cache(lambda name: make_guide(name, tokenizer, ends))
        if paths.adapter:
            self._adopt(paths.adapter)
        self._check_agreement()

    @property
    def cache_hit_rate(self) -> float:
        """The share of all prompts' tokens that the prefix cache had."""
        return self.cached_tokens / self.prompt_tokens if self.prompt_tokens else 0.0

    def load_adapter(self, folder: str | Path | None) -> None:
        """Put another adapter of the same base in the place of the one in use, if any; None leaves the base alone.

        It gets a name and a number of its own: under an old name vLLM would serve what it had cached.
        Errors: SokratesError for an adapter that does not fit this engine, or does not give what it gave in training.
        """
        if folder is None:
            self._probes = self._expected(self._base_name)
            self._remove()
        else:
            paths = models.resolve(str(folder))
            vllm_lora.check_adapter(paths, self._base_name, self._largest_rank)
            assert paths.adapter is not None
            self._probes = self._expected(paths.adapter)
            self._adopt(paths.adapter)
        self._check_agreement()

    def _expected(self, name: str) -> Probes | None:
        """What the check expects of a model or adapter: what training kept beside it, else what the processor computes
        (the GPU's memory is vLLM's). A base is computed once."""
        if not self._check:
            return None
        if name == self._base_name:
            self._base_probes = self._base_probes or agreement.reference(name, "cpu", self._dtype)
            return self._base_probes
        return probes.read(name) or agreement.reference(name, "cpu", self._dtype)

    def _adopt(self, folder: str) -> None:
        from vllm.lora.request import LoRARequest

        self._adapters += 1
        adapter = LoRARequest(f"policy-{self._adapters}", self._adapters, folder)
        with vllm_start.explained(folder, "vLLM cannot load it"):
            self._engine.add_lora(adapter)
        self._remove()
        self._adapter = adapter

    def _remove(self) -> None:
        if self._adapter is not None:
            self._engine.remove_lora(self._adapter.lora_int_id)
        self._adapter = None

    def _check_agreement(self) -> None:
        if self._probes:
            with self._timed("check"):
                measured = self.log_probs(self._probes.probes)
            name = self._adapter.lora_path if self._adapter else self._base_name
            self.difference = agreement.check(self._probes, measured, self._dtype, name)

    def log_probs(self, sequences: Sequence[Probe]) -> list[list[float]]:
        """The log-probability of each token of each sequence's completion, at temperature 1 over the vocabulary."""
        self._check_idle()
        found: dict[str, list[float]] = {}
        for index, probe in enumerate(sequences):
            self._add(str(index), probe.prompt_ids, _scoring(probe.completion_ids))
        while len(found) < len(sequences):
            for output in self._engine.step():
                (said,) = output.outputs
                scored = zip(said.token_ids, said.logprobs, strict=True)
                found[output.request_id] = [choices[token].logprob for token, choices in scored]
        return [found[str(index)] for index in range(len(sequences))]

    def close(self) -> None:
        """End vLLM, its processes with it, and so give all memory free. The engine is of no use afterwards."""
        self._engine.engine_core.shutdown()

    def sleep(self) -> None:
        """Give the GPU's memory free: the weights move to the CPU, the cache is dropped. Without sleep mode nothing is
        given free, as on a CPU, whose memory is shared anyway."""
        self._check_idle()
        if self._sleep_mode and not self._asleep:
            self._llm.sleep(level=1)
            self._asleep = True

    def wake(self) -> None:
        """Take the memory back after `sleep`, and check that the model is what it was."""
        if self._asleep:
            self._llm.wake_up()
            self._asleep = False
            self._check_agreement()

    def _check_idle(self) -> None:
        if self._engine.has_unfinished_requests():
            raise RuntimeError("generate is under way: take all its completions or close it first")

    def generate(self, requests: Iterable[Request], sampling: Sampling) -> Iterator[Completion]:
        """The completions of all requests, as they finish.

        Errors: as `engine.check_window`, `guides.make_guide` and `Guide.follow`; SokratesError for step by step, and
        where vLLM gives up.
        """
        if sampling.max_step_tokens:
            raise SokratesError("step by step is for --engine transformers: vLLM writes whole traces")
        requests = list(requests)
        check_window(requests, self.window)
        waiting = iter(_side_by_side(requests))
        return self.generate_arriving(lambda most: islice(waiting, most), sampling)

    def generate_arriving(self, take: Callable[[int], Iterable[Request]], sampling: Sampling) -> Iterator[Completion]:
        """The completions of requests that may come while others run, as they finish; it ends when none is left.

        `take(most)`, asked at every step, gives what has come since, at most so many, each within the window.
        """
        self._check_idle()
        rows: dict[str, Row] = {}
        names = map(str, count())
        try:
            while self._feed(take, names, rows, sampling):
                yield from [row.completion(self._decoder, sampling) for row in self._step(rows)]
        finally:
            if rows:
                self._engine.abort_request(list(rows))

    def _feed(
        self,
        take: Callable[[int], Iterable[Request]],
        names: Iterator[str],
        rows: dict[str, Row],
        sampling: Sampling,
    ) -> bool:
        """Fill vLLM up with requests; whether there are any."""
        guide = self._guide(sampling.guide)
        for request in take(self._max_batch + WAITING - len(rows)):
            name = next(names)
            row = new_row(request, sampling, self.window)
            if guide:
                guide.follow(request.problem, row.stream)  # an error in vLLM's process would end it
            rows[name] = row
            self._add(name, request.prompt_ids, _sampling_params(row, sampling, self._ends))
        return bool(rows)

    def _add(self, name: str, prompt_ids: Sequence[int], params: Any) -> None:
        prompt = {"type": "token", "prompt_token_ids": list(prompt_ids)}  # vLLM's own form: nothing to prepare
        self._engine.add_request(name, prompt, params, lora_request=self._adapter)

    def _step(self, rows: dict[str, Row]) -> list[Row]:
        """Let vLLM go one step on; the rows that it finishes, taken out of `rows`."""
        finished, ended = [], []
        decoder, ends = self._decoder, self._ends
        for output in self._outputs(rows):
            name, (said,) = output.request_id, output.outputs
            row = rows[name]
            if not row.token_ids:
                self.prompt_tokens += len(output.prompt_token_ids)
                self.cached_tokens += output.num_cached_tokens or 0
            for token in said.token_ids:
                row.take(token, decoder, ends)
                if row.finish_reason:
                    break
            if row.finish_reason or said.finish_reason:
                _check_finish(row, said.finish_reason)
                finished.append(rows.pop(name))
                if not said.finish_reason:
                    ended.append(name)
        if ended:
            self._engine.abort_request(ended)
        return finished

    def _outputs(self, rows: dict[str, Row]) -> list[Any]:
        from vllm.v1.engine.exceptions import EngineDeadError

        try:
            outputs: list[Any] = self._engine.step()
            return outputs
        except EngineDeadError as error:
            lost = len(rows)
            rows.clear()  # there is nothing left that could be told to abort them
            raise SokratesError(
                f"vLLM's engine process has died with {lost} samples under way; its own message stands above. "
                "The same command goes on with the samples that are missing"
            ) from error

    @contextmanager
    def _timed(self, part: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.seconds[part] = round(self.seconds.get(part, 0.0) + time.perf_counter() - began, 3)


def load_vllm(model: ModelConfig, config: GenerationConfig, *, stays: bool = False) -> VllmEngine:
    """The engine as a configuration describes it; `stays`: able to sleep, on CUDA. Errors: as `VllmEngine`."""
    return VllmEngine(
        model.model,
        device=model.device,
        dtype=model.dtype,
        max_batch=config.max_batch or MAX_BATCH,
        gpu_memory=config.gpu_memory,
        tensor_parallel_size=config.tensor_parallel_size,
        max_lora_rank=config.max_lora_rank,
        sleep_mode=stays and vllm_start.on_cuda(model.device),
    )


def _default_sampler() -> type[Any]:
    from sokrates.engines.vllm_sampler import Sampler

    return Sampler


def _sampling_params(row: Row, sampling: Sampling, ends: frozenset[int]) -> Any:
    """What vLLM is asked for a row."""
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    from sokrates.engines.vllm_sampler import extra_args

    return SamplingParams(
        temperature=0,
        max_tokens=row.limit,
        stop_token_ids=list(ends),
        detokenize=False,
        output_kind=RequestOutputKind.DELTA,
        extra_args=extra_args(
            stream=row.stream,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            guide=sampling.guide,
            problem=row.request.problem,
        ),
        skip_clone=True,  # nobody else has it
    )


def _scoring(token_ids: Sequence[int]) -> Any:
    """What vLLM is asked for the log-probabilities of given tokens: it is made to say them."""
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    from sokrates.engines.vllm_sampler import extra_args

    return SamplingParams(
        temperature=0,
        max_tokens=len(token_ids),
        ignore_eos=True,
        logprobs=0,
        detokenize=False,
        output_kind=RequestOutputKind.FINAL_ONLY,
        extra_args=extra_args(script=token_ids),
    )


def _side_by_side(requests: Sequence[Request]) -> list[Request]:
    """The requests with those of one prompt next to each other, prompts in the order of their first request."""
    by_prompt: dict[tuple[int, ...], list[Request]] = {}
    for request in requests:
        by_prompt.setdefault(request.prompt_ids, []).append(request)
    return [request for group in by_prompt.values() for request in group]


def _check_finish(row: Row, reason: str | None) -> None:
    """Errors: SokratesError where vLLM's reason to end a row (None: it goes on) does not fit ours."""
    if row.finish_reason is None or reason not in (None, "stop", "length"):
        raise SokratesError(
            f"{row.request.problem_id}, sample {row.request.sample}: vLLM ended it with {reason!r} after "
            f"{len(row.token_ids)} tokens; expected an end of text or {row.limit} tokens"
        )
