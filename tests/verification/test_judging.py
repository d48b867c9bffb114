"""One line judged: strange ones get a reason, none a crash."""

from __future__ import annotations

import json
import re

import msgspec
import pytest

from sokrates.traces.trace import Trace
from sokrates.verification.judging import Judged, judge, needs_z3
from sokrates.verification.pool import Line
from sokrates.verification.seen import trace_key
from sokrates.verification.summary import counts_of
from sokrates.verification.verify import verify
from tests.verification.test_files import some_traces

MEGABYTE = 1 << 20
GOOD = json.loads(msgspec.json.encode(some_traces(2)[0]))


def line_of(trace: Trace) -> Line:
    return Line(1, msgspec.json.encode(trace) + b"\n")


def with_step(**changes: object) -> bytes:
    return json.dumps({**GOOD, "steps": [{**GOOD["steps"][0], **changes}, *GOOD["steps"][1:]]}).encode()


def with_digits(count: int) -> bytes:
    return with_step(option_args=[0, 1]).replace(b"[0, 1]", b"[%s, 1]" % (b"9" * count))


def with_fields(**changes: object) -> bytes:
    return json.dumps({**GOOD, **changes}).encode()


def judged(raw: bytes) -> Judged:
    result = judge(Line(1, raw), fast_only=True)
    assert result is not None
    return result


def test_a_trace_is_verified_and_counted():
    trace = some_traces(2)[1]
    result = judge(line_of(trace))
    verify(trace)
    assert result == Judged(trace_key(trace.problem_id, 1), msgspec.json.encode(trace) + b"\n", counts_of(trace))


def test_formulas_are_for_the_workers():
    trace = some_traces(2)[0]
    assert not needs_z3(trace)
    trace.premises_fol = ("Red(max)", *[""] * (len(trace.premises) - 1))
    assert needs_z3(trace)
    assert judge(line_of(trace), fast_only=True) is None


REASONS = {
    "an argument of 10^30": (with_step(option_args=[10**30, 1]), "no_such_line"),
    "a negative one": (with_step(option_args=[-(10**30), 1]), "no_such_line"),
    "an argument of 4000 digits": (with_digits(4000), "no_such_line"),
    "a thought of a megabyte": (with_step(thought="so " + "Max is red and " * (MEGABYTE // 15)), "claim_unreadable"),
    "a rule of a megabyte": (with_step(option_type="A" * MEGABYTE), "unknown_rule"),
    "a third of a million arguments": (with_step(option_args=[1] * (MEGABYTE // 3)), "argument_count"),
    "control characters": (with_step(thought="so \a\x1b[31m Max is red."), "claim_unreadable"),
    "a zero byte": (with_step(thought="so Max\0 is red."), "claim_unreadable"),
    "right-to-left marks": (with_step(thought="so \u202eMax is red\u202c."), "claim_unreadable"),
}  # fmt: skip


@pytest.mark.parametrize("kind", REASONS)
def test_a_strange_step_has_a_reason(kind):
    raw, reason = REASONS[kind]
    result = judged(raw)
    assert result.error is None
    assert msgspec.json.decode(result.encoded, type=Trace).steps[0].reason == reason
    assert len(result.encoded) < len(raw) + 20_000


ERRORS = {
    "a float": (with_step(option_args=[1e30]), r"Expected `int`, got `float` - at `\$.steps\[0\].option_args\[0\]`"),
    "5000 digits": (with_digits(5000), "Integer value out of range"),
    "a premise of a megabyte": (with_fields(premises=["x" * MEGABYTE]), "premise 0: .* is longer than a sentence"),
    "a premise with marks": (with_fields(premises=["\u202eMax is red."]), r"premise 0: '\\u202eMax .* character"),
    "a premise with a zero": (with_fields(premises=["Max\0 is red."]), r"premise 0: .*not a sentence"),
    "a zero byte": (b"\0\0\0", "not a line of JSON"),
    "a bare control character": (with_step(thought="BELL").replace(b"BELL", b"\a"), "not a line of JSON"),
    "a lone surrogate": (with_step(thought="so \ud800"), "not a line of JSON"),
    "not UTF-8": (with_step(thought="BYTE").replace(b"BYTE", b"\xe9"), "not a line of JSON"),
    "UTF-16": (with_fields().decode().encode("utf-16"), "not a line of JSON"),
    "a byte order mark": (b"\xef\xbb\xbf" + with_fields(), "not a line of JSON"),
    "nested": (with_fields(deep=0).replace(b'"deep": 0', b'"deep": ' + b"[" * 5000 + b"]" * 5000), "recursion"),
    "open brackets": (b"[" * MEGABYTE, "not a line of JSON|not a Trace"),
    "a list": (b"[]", "not a Trace: Expected `object`, got `array`"),
}  # fmt: skip


@pytest.mark.parametrize("kind", ERRORS)
def test_a_strange_line_has_an_error(kind):
    raw, expected = ERRORS[kind]
    result = judged(raw)
    assert result.error is not None and not result.encoded
    assert len(result.error) < 500
    assert re.search(expected, result.error), result.error
