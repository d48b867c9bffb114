"""Completeness where it is promised: the authors' own proofs of PrOntoQA-OOD can be written with the options."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest

from sokrates import jsonl
from sokrates.problems.readers import read_problems
from sokrates.problems.reading import read_problem
from tests.logic.ood_proofs import translated
from tests.shared_data import files, needs

PATTERN = "prontoqa/*_ood.jsonl"


class Record(msgspec.Struct):
    id: str
    deduction_rule: str
    chain_of_thought: list[str]


@needs(PATTERN)
@pytest.mark.parametrize("path", files(PATTERN), ids=lambda path: path.stem)
def test_the_kernel_accepts_every_step_of_the_authors_proofs(path):
    records = {
        record.id: record for _, raw in jsonl.read_raw(path) for record in [msgspec.json.decode(raw, type=Record)]
    }
    steps = Counter()
    for problem in read_problems(path, "prontoqa"):
        record = records.pop(problem.problem_id)
        theory = read_problem(problem.premises, problem.conclusion).theory
        proof = translated(theory, record.chain_of_thought)
        refused = [verdict.message for verdict in proof.verdicts if not verdict.valid]
        assert not refused, (record.id, refused)
        steps[record.deduction_rule] += len(proof.verdicts)
    assert not records
    assert set(steps) == {"AndElim", "AndIntro", "OrElim", "OrIntro", "ProofByContra", "Composed"}
