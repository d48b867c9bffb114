"""The forward of preference pairs that reads each prompt once.

Contract: called as a model with TRL's fused head on a padded batch of pairs, it gives the same per-token fields in the
same shapes, from one row without padding. Each pair lies in it as

    p_1 … p_n  chosen …  p_n  rejected …

The last prompt token stands twice, so that both completions have the token before them that predicts their first.
The second copy and the rejected completion attend to p_1 … p_{n-1} and to themselves: what they would see after
the prompt alone, at the same positions, so the result is exact. It needs attention by segments; losses it does not
know.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from peft import PeftModel
from transformers import PreTrainedModel

from sokrates.errors import SokratesError
from sokrates.training.attention import attends_by_segments

FIELDS = ("log_probs", "entropy", "log_sum_sq_probs", "mean_logits", "is_top1", "label_mask")
"""What TRL's fused head gives for every token."""


def sharable(model: PreTrainedModel | PeftModel) -> bool:
    """Whether `SharedPrefix` can be used: the model attends by segments."""
    return attends_by_segments(model)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the tokens of a padded batch lie in the row. Tensors are int64 (tokens,) where nothing else is said."""

    rows: torch.Tensor
    columns: torch.Tensor
    """Where in the padded batch each token is from."""
    positions: torch.Tensor
    """What the model is told of each token's place in its document."""
    learned: torch.Tensor
    """int64 (labels,): which tokens have a label, and are to be predicted from the token before."""
    query_starts: torch.Tensor
    """int32 (segments + 1,)."""
    key_starts: torch.Tensor
    """int32 (segments + 1,)."""
    key_index: torch.Tensor
    """int64 (key tokens,): which tokens are the keys."""
    longest: int
    """Tokens of the longest sequence, prompt included."""

    def to(self, device: torch.device) -> Layout:
        """The same with its tensors on `device`."""
        names = [field.name for field in fields(self) if field.name != "longest"]
        return replace(self, **{name: getattr(self, name).to(device, non_blocking=True) for name in names})


class SharedPrefix:
    """A model as TRL's trainers call it, for batches whose first half is chosen and whose second half is rejected."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def __call__(
        self, *, input_ids: torch.Tensor, attention_mask: torch.Tensor, labels: torch.Tensor, **options: Any
    ) -> Any:
        """The output of the fused head, as of a plain call.

        `input_ids`, `attention_mask`, `labels`: (2 pairs, length), labels -100 off the completions, padding on either
        side. The per-token fields come back as (2 pairs, length - 1), zero or False where there is no label.
        Errors: SokratesError for a pair whose two prompts differ or are empty.
        """
        plan = layout(input_ids, attention_mask, labels).to(input_ids.device)
        output = self.model(
            input_ids=input_ids[plan.rows, plan.columns][None],
            labels=labels[plan.rows, plan.columns][None],
            position_ids=plan.positions[None],
            cu_seq_lens_q=plan.query_starts,
            cu_seq_lens_k=plan.key_starts,
            max_length_q=plan.longest,
            max_length_k=plan.longest,
            key_index=plan.key_index,
            **options,
        )
        for name in FIELDS:
            if (values := getattr(output, name, None)) is not None:
                output[name] = _scatter(values[0], plan, labels.shape)
        return output


def layout(input_ids: torch.Tensor, attention_mask: torch.Tensor, labels: torch.Tensor) -> Layout:
    """Lay the pairs of a padded batch end to end, on the CPU. Shapes and errors as for `SharedPrefix`."""
    ids, real, labelled = torch.stack([input_ids, attention_mask.long(), (labels != -100).long()]).cpu()
    where = [row.nonzero().flatten() for row in real]
    pieces: list[tuple[int, torch.Tensor, int]] = []  # row of the batch, its columns, the first one's position
    queries, keys, key_index = [0], [0], list[int]()
    for chosen, rejected in enumerate(range(len(ids) // 2, len(ids))):
        prompt = _prompt(ids, labelled, where, chosen, rejected)
        pieces += [(chosen, where[chosen], 0), (rejected, where[rejected][prompt - 1 :], prompt - 1)]
        start, middle = queries[-1], queries[-1] + len(where[chosen])
        end = middle + len(where[rejected]) - prompt + 1
        queries += [middle, end]
        keys += [keys[-1] + len(where[chosen]), keys[-1] + len(where[chosen]) + len(where[rejected])]
        key_index += [*range(start, middle), *range(start, start + prompt - 1), *range(middle, end)]
    rows = torch.cat([torch.full_like(columns, row) for row, columns, _ in pieces])
    columns = torch.cat([columns for _, columns, _ in pieces])
    return Layout(
        rows=rows,
        columns=columns,
        positions=torch.cat([first + torch.arange(len(columns)) for _, columns, first in pieces]),
        learned=labelled[rows, columns].nonzero().flatten(),
        query_starts=torch.tensor(queries, dtype=torch.int32),
        key_starts=torch.tensor(keys, dtype=torch.int32),
        key_index=torch.tensor(key_index),
        longest=max(map(len, where)),
    )


def _prompt(ids: torch.Tensor, labelled: torch.Tensor, where: list[torch.Tensor], chosen: int, rejected: int) -> int:
    """Tokens of the prompt that two rows share: those before the first label."""
    lengths = [int((labelled[row, where[row]] == 0).long().cumprod(0).sum()) for row in (chosen, rejected)]
    prompts = [ids[row, where[row][:length]] for row, length in zip((chosen, rejected), lengths, strict=True)]
    if not lengths[0]:
        raise SokratesError("a preference pair has no prompt; expected at least one token before its completions")
    if not torch.equal(*prompts):
        raise SokratesError(
            f"the completions of a preference pair follow different prompts, of {lengths[0]} and {lengths[1]} tokens; "
            "expected the same"
        )
    return lengths[0]


def _scatter(values: torch.Tensor, plan: Layout, shape: torch.Size) -> torch.Tensor:
    """What the row's (tokens - 1,) predictions are in the padded batch: (rows, length - 1)."""
    padded = values.new_zeros(shape[0], shape[1] - 1)
    return padded.index_put((plan.rows[plan.learned], plan.columns[plan.learned] - 1), values[plan.learned - 1])
