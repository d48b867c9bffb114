"""The Problem record: what every stage reads.

Contract: premises are numbered from 0 in the order given; `label` is the data set's answer or None where it has none.
A problem does not know whether its label is right: `problems.labels` checks that.
"""

from __future__ import annotations

import hashlib

import msgspec

from sokrates.logic.answer import Answer


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    problem_id: str
    premises: tuple[str, ...]
    conclusion: str
    label: Answer | None = None
    premises_fol: tuple[str, ...] = ()
    conclusion_fol: str = ""
    source: str = ""
    hops: int | None = None
    notes: tuple[str, ...] = ()
    """What a reader had to change, so that nothing is mended silently."""

    @property
    def content_hash(self) -> str:
        """The same for problems that differ only in the order of premises: what keeps splits disjoint."""
        text = "\n".join([*sorted(self.premises), self.conclusion])
        return hashlib.sha256(text.encode()).hexdigest()[:16]
