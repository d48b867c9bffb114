"""The engine over vLLM: continuous batching and paged attention, for one model or one adapter of it at a time.

Contract: `engine.Engine`. Tokens are chosen by `vllm_sampler`, and each is looked at here as it comes, as in the other
engines: the same seeds give the same text where the arithmetic is the same. Requests are fed in as places become free,
samples of one prompt side by side, so that the prefix cache computes it once. vLLM is imported when an engine is made.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

from sokrates import models
from sokrates.config import GenerationConfig, ModelConfig
from sokrates.engines import agreement, vllm_start
from sokrates.engines.agreement import reference, reference_ahead
from sokrates.engines.engine import Completion, Request, Sampling, check_window
from sokrates.engines.row import Row, end_tokens, new_row
from sokrates.engines.text import Decoder
from sokrates.engines.vllm_lora import adapter_rank, check_adapter, room
from sokrates.errors import SokratesError
from sokrates.traces import probes
from sokrates.traces.probes import Probe, Probes

MAX_BATCH = 512
WAITING = 64
"""Requests kept waiting inside vLLM beyond those that run, so that no place stays empty."""


class VllmEngine:
    """An engine over `vllm.LLM`.

    `seconds` says where the start went; `prompt_tokens` and `cached_tokens` count, over all requests so far, the tokens
    of the prompts and those of them that the prefix cache had.
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
        `sampler`: a subclass of `vllm_sampler.Sampler`. `sleep_mode` allows `sleep`. `check` compares
        the engine's log-probabilities with transformers' (`agreement`). `options` go to `vllm.LLM`.
        Errors: SokratesError for what cannot be used or started, saying what to do.
        """
        paths = models.resolve(name)
        cuda = vllm_start.on_cuda(device)
        if sleep_mode and not cuda:
            raise SokratesError("sleep mode needs a CUDA device: it gives the GPU's memory to others for a time")
        self.seconds: dict[str, float] = {}
        self.prompt_tokens = self.cached_tokens = 0
        self._base_name = paths.base_name
        self._sleep_mode = sleep_mode
        self._largest_rank = max_lora_rank and room(max_lora_rank)
        if paths.adapter and not max_lora_rank:
            self._largest_rank = room(adapter_rank(paths.adapter))
        if paths.adapter:
            check_adapter(paths, paths.base_name, self._largest_rank)
        self._dtype = vllm_start.dtype(dtype, cuda)
        expected = reference_ahead(name, "cuda" if cuda else "cpu", self._dtype) if check else None
        with self._timed("import"):
            vllm_start.prepare(cuda)
            from vllm import LLM

            from sokrates.engines.vllm_sampler import Sampler
        tokenizer = models.load_tokenizer(name)
        config = models.load_config(name)
        vllm_start.check_shape(config, tensor_parallel_size)
        if cuda:
            vllm_start.check_gpus(tensor_parallel_size, gpu_memory)
        lora = {"enable_lora": True, "max_lora_rank": self._largest_rank, "max_loras": 1} if self._largest_rank else {}
        self._max_batch = max_batch
        self._decoder = Decoder(tokenizer)
        self.window = models.window(config)
        settings = {
            "dtype": self._dtype,
            "max_model_len": self.window,
            "max_num_seqs": max_batch,
            "tensor_parallel_size": tensor_parallel_size,
            "enable_prefix_caching": True,
            "enable_sleep_mode": sleep_mode,
            "use_tqdm_on_load": False,
            "logits_processors": [sampler or Sampler],
            **vllm_start.options(cuda, max_batch, gpu_memory),
            **lora,
        }
        self._check = check
        self._probes: Probes | None = None
        if expected:
            with self._timed("reference"):
                self._probes = expected()
        with self._timed("start"), vllm_start.starting(paths.base):
            self._llm = LLM(paths.base, **(settings | options))
        self._engine = self._llm.llm_engine
        self._ends = end_tokens(self._llm.model_config.try_get_generation_config().get("eos_token_id"), tokenizer)
        self._adapters = 0
        self._adapter: Any = None
        if paths.adapter:
            self._adopt(paths.adapter)
        self._check_agreement()

    @property
    def cache_hit_rate(self) -> float:
        """The share of all prompts' tokens that the prefix cache had."""
        return self.cached_tokens / self.prompt_tokens if self.prompt_tokens else 0.0

    def load_adapter(self, folder: str) -> None:
        """Put another adapter of the same base in the place of the one in use, if any.

        It gets a name and a number of its own: under an old name vLLM would serve what it had cached.
        Errors: SokratesError for an adapter that does not fit this engine.
        """
        paths = models.resolve(folder)
        check_adapter(paths, self._base_name, self._largest_rank)
        assert paths.adapter is not None
        if self._check:
            # The GPU's memory is vLLM's; where training kept nothing, the processor computes what is expected.
            self._probes = probes.read(folder) or reference(folder, "cpu", self._dtype)
        self._adopt(paths.adapter)
        self._check_agreement()

    def _check_agreement(self) -> None:
        if self._probes:
            with self._timed("check"):
                measured = self.log_probs(self._probes.probes)
                name = self._adapter.lora_path if self._adapter else self._base_name
                self.difference = agreement.check(self._probes, measured, self._dtype, name)

    def log_probs(self, sequences: Sequence[Probe]) -> list[list[float]]:
        """The log-probability of each token of each sequence's completion, of the whole vocabulary at temperature 1.

        Not while `generate` is under way.
        """
        found: dict[str, list[float]] = {}
        for index, probe in enumerate(sequences):
            self._add(str(index), probe.prompt_ids, _scoring(probe.completion_ids))
        while len(found) < len(sequences):
            for output in self._engine.step():
                (said,) = output.outputs
                scored = zip(said.token_ids, said.logprobs, strict=True)
                found[output.request_id] = [choices[token].logprob for token, choices in scored]
        return [found[str(index)] for index in range(len(sequences))]

    def _adopt(self, folder: str) -> None:
        from vllm.lora.request import LoRARequest

        if self._adapter is not None:
            self._engine.remove_lora(self._adapter.lora_int_id)
        self._adapters += 1
        self._adapter = LoRARequest(f"policy-{self._adapters}", self._adapters, folder)
        with vllm_start.starting(folder):
            self._engine.add_lora(self._adapter)

    def sleep(self) -> None:
        """Give the GPU's memory free: the weights move to the CPU, the cache is dropped. Errors: without `sleep_mode`."""
        self._check_sleep_mode()
        self._llm.sleep(level=1)

    def wake(self) -> None:
        """Take the memory back after `sleep`, and check that the model is the same. Errors: without `sleep_mode`."""
        self._check_sleep_mode()
        self._llm.wake_up()
        self._check_agreement()

    def _check_sleep_mode(self) -> None:
        if not self._sleep_mode:
            raise SokratesError("this engine cannot sleep: start it with sleep_mode, on a CUDA device")

    def generate(self, requests: Iterable[Request], sampling: Sampling) -> Iterator[Completion]:
        """The completions of all requests, as they finish. Errors: as `engine.check_window`; SokratesError where vLLM
        gives up on one."""
        requests = list(requests)
        check_window(requests, self.window)
        return self._generate(_side_by_side(requests), sampling)

    def _generate(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[Completion]:
        rows: dict[str, Row] = {}
        waiting = enumerate(requests)
        try:
            while True:
                for index, request in islice(waiting, self._max_batch + WAITING - len(rows)):
                    rows[str(index)] = row = new_row(request, sampling, self.window)
                    self._add(str(index), request.prompt_ids, self._params(row, sampling))
                if not rows:
                    break
                finished = self._step(rows)
                yield from (row.completion(self._decoder, sampling) for row in finished)
        finally:
            self._engine.abort_request(list(rows))

    def _step(self, rows: dict[str, Row]) -> list[Row]:
        """Let vLLM go one step on; the rows that it finishes, taken out of `rows`."""
        finished, ended = [], []
        decoder, ends = self._decoder, self._ends
        for output in self._engine.step():
            row, said = rows[output.request_id], output.outputs[0]
            if not row.token_ids:
                self._count(output)
            for token in said.token_ids:
                row.take(token, decoder, ends)
                if row.finish_reason:
                    break
            if row.finish_reason or said.finish_reason:
                _check_finish(row, said.finish_reason)
                del rows[output.request_id]
                finished.append(row)
                if not said.finish_reason:
                    ended.append(output.request_id)
        if ended:
            self._engine.abort_request(ended)
        return finished

    def _count(self, output: Any) -> None:
        self.prompt_tokens += len(output.prompt_token_ids)
        self.cached_tokens += output.num_cached_tokens or 0

    def _add(self, name: str, prompt_ids: Sequence[int], params: Any) -> None:
        prompt = {"type": "token", "prompt_token_ids": list(prompt_ids)}  # vLLM's own form: nothing to prepare
        self._engine.add_request(name, prompt, params, lora_request=self._adapter)

    def _params(self, row: Row, sampling: Sampling) -> Any:
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        from sokrates.engines.vllm_sampler import extra_args

        return SamplingParams(
            temperature=0,
            max_tokens=row.limit,
            stop_token_ids=list(self._ends),
            detokenize=False,
            output_kind=RequestOutputKind.DELTA,
            extra_args=extra_args(stream=row.stream, temperature=sampling.temperature, top_p=sampling.top_p),
            skip_clone=True,  # nobody else has it
        )

    @contextmanager
    def _timed(self, part: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.seconds[part] = round(self.seconds.get(part, 0.0) + time.perf_counter() - began, 3)


def load_vllm(model: ModelConfig, config: GenerationConfig) -> VllmEngine:
    """The engine as a configuration describes it. Errors: as `VllmEngine`."""
    return VllmEngine(
        model.model,
        device=model.device,
        dtype=model.dtype,
        max_batch=config.max_batch or MAX_BATCH,
        gpu_memory=config.gpu_memory,
        tensor_parallel_size=config.tensor_parallel_size,
        max_lora_rank=config.max_lora_rank,
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
    """vLLM's reason to end a row, None where only we end it, must agree with ours."""
    if row.finish_reason is None or reason not in (None, "stop", "length"):
        raise SokratesError(
            f"{row.request.problem_id}, sample {row.request.sample}: vLLM ended it after {len(row.token_ids)} tokens with "
            f"{reason!r}; expected it to go on to an end of text or {row.limit} tokens"
        )
