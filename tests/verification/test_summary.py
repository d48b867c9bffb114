from __future__ import annotations

import pytest

from sokrates.traces.building import build_trace
from sokrates.verification.summary import Tally
from sokrates.verification.verify import verify
from tests.verification.test_verify import PROBLEM, RED, TRUE, UNKNOWN, YUMPUS, completion


def counted(text: str, finish_reason: str = "stop") -> dict:
    trace = build_trace(PROBLEM, text)
    trace.finish_reason = finish_reason
    tally = Tally()
    tally.add(verify(trace))
    return tally.summary(1, None)


def test_valid_actions_are_counted_apart_from_valid_steps():
    wrong_claim = ("so Max is blue.", RED[1])
    found = counted(completion(YUMPUS, wrong_claim, ("so the answer is UNKNOWN.", UNKNOWN), answer="UNKNOWN"))
    assert (found["actions"], found["valid_actions"], found["valid_steps"]) == (3, 3, 1)
    assert found["action_validity"] == 1 and found["malformed_actions"] == 0
    found = counted(completion(YUMPUS, ("so Max is red.", '<Option type="MODUS_PONENS" args="[0, 2]" />')))
    assert (found["actions"], found["valid_actions"]) == (2, 1)


@pytest.mark.parametrize(
    "action", ["<Option", '<Option type="NONE" args="[0]" />', '<Option type="AND_ELIM" args="[]" />']
)
def test_malformed_actions(action):
    found = counted(completion(YUMPUS, ("so x.", action), ("so the answer is TRUE.", TRUE)))
    assert (found["actions"], found["malformed_actions"]) == (3, 1)


def test_an_action_that_the_token_limit_cut_off_was_not_emitted():
    text = completion(YUMPUS, ("so x.", '<Option type="MOD'), answer=None)
    assert (counted(text)["actions"], counted(text)["malformed_actions"]) == (2, 1)
    assert (counted(text, "length")["actions"], counted(text, "length")["malformed_actions"]) == (1, 0)
    whole = completion(YUMPUS, answer=None)
    assert counted(whole, "length")["actions"] == 1
