"""Certificates: they change with whatever they cover, and with nothing else."""

from __future__ import annotations

import re

import msgspec
import pytest

from sokrates import __version__
from sokrates.logic.answer import Answer
from sokrates.traces.trace import Step, Trace
from sokrates.verification.certificate import certificate, kernel
from sokrates.verification.verify import verify
from tests.verification.test_files import some_traces

NOT_COVERED = {
    "hops", "finish_reason", "prompt_tokens", "completion_tokens", "model", "adapter", "seed", "num_steps",
    "certificate", "steps",
}  # fmt: skip
OTHER = {
    str: "something else",
    int: 77,
    bool: None,
    type(None): "something",
    tuple: ("other",),
    Answer: None,
}


@pytest.fixture(scope="module")
def trace() -> Trace:
    return verify(some_traces(2)[1])


def test_verification_names_its_kernel_and_certifies(trace):
    assert re.fullmatch(re.escape(__version__) + r"\+[0-9a-f]{12}", kernel())
    assert trace.kernel == kernel()
    assert re.fullmatch(r"[0-9a-f]{16}", trace.certificate)
    assert trace.certificate == certificate(trace)
    assert certificate(msgspec.json.decode(msgspec.json.encode(trace), type=Trace)) == trace.certificate


@pytest.mark.parametrize("name", Trace.__struct_fields__)
def test_every_field_of_a_verdict_and_its_statement_is_covered(trace, name):
    if name == "steps":
        return
    changed = msgspec.structs.replace(trace, **{name: OTHER[type(getattr(trace, name))]})
    assert (certificate(changed) == trace.certificate) == (name in NOT_COVERED)


@pytest.mark.parametrize("name", Step.__struct_fields__)
def test_every_field_of_a_step_is_covered(trace, name):
    step = trace.steps[0]
    changed = msgspec.structs.replace(step, **{name: OTHER[type(getattr(step, name))]})
    certificate_of_changed = certificate(msgspec.structs.replace(trace, steps=[changed, *trace.steps[1:]]))
    assert (certificate_of_changed == trace.certificate) == (name == "step_idx")


def test_steps_left_out_or_exchanged_show(trace):
    first, second, *rest = trace.steps
    for steps in ([second, first, *rest], [first, *rest], []):
        assert certificate(msgspec.structs.replace(trace, steps=steps)) != trace.certificate
