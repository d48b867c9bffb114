"""The solver guide: only actions that are valid in the present proof state; and its control, one of them at random.

Contract: the state is what `traces.text.parse` and the kernel make of the text so far, as verification does it.
Allowed are the actions with which the step is valid by what its thought claims. Where there is none but to assume the
claim, any action is allowed that is valid with some claim (of those that `proposals` finds onwards): the step then
fails on its claim. A thought that names an answer gets the CONCLUDE that agrees where it applies. CONCLUDE applies to
an answer that is proved, and to UNKNOWN while none is: entailment is never asked, so the right answer cannot leak.

`random` is the control: one of all valid actions is drawn, by the sample's stream and the number of the step, whatever
the thought claims and the model would choose. What it reaches, the guide alone gives.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

from sokrates.errors import SokratesError
from sokrates.guides.automaton import Action, Node, one_of
from sokrates.guides.following import Follower, Moves
from sokrates.guides.proposals import Lines
from sokrates.guides.vocabulary import Vocabulary
from sokrates.logic.answer import ANSWERS, Answer
from sokrates.logic.claim import Claim
from sokrates.logic.english import Unreadable
from sokrates.logic.language import Language
from sokrates.logic.proof import Proof
from sokrates.logic.rules import ASSUME, CONCLUDE
from sokrates.problems import Problem
from sokrates.problems.reading import read_problem
from sokrates.traces.claims import claimed, take
from sokrates.traces.text import parse
from sokrates.traces.trace import Step

_PROBLEMS, _NODES = 512, 512
"""Problems whose states are remembered, and sets of actions whose spelling is: enough for what is being written."""
_CONCLUSIONS: tuple[Action, ...] = tuple((CONCLUDE, (number,)) for number in range(len(ANSWERS)))


@dataclass(eq=False)
class State:
    """A proof after some steps, with what was found out about it; samples of a problem that took them share it."""

    proof: Proof
    language: Language
    after: dict[tuple[str, tuple[int, ...], Claim | Answer], State] = field(default_factory=dict)
    found: dict[tuple[Claim | Answer, Claim | Answer], tuple[Action, ...]] = field(default_factory=dict)

    def step(self, step: Step) -> State:
        """The state after a step."""
        claim = claimed(step.option_type, step.thought, self.language)
        key = step.option_type, step.option_args, claim
        if key not in self.after:
            proof = self.proof.branch()
            take(proof, step, self.language)
            self.after[key] = State(proof, self.language)
        return self.after[key]

    @cached_property
    def conclusions(self) -> tuple[Action, ...]:
        """The CONCLUDEs that apply: at least one, until there was one."""
        return tuple(action for action in _CONCLUSIONS if self.proof.applies(*action))

    @cached_property
    def anything(self) -> tuple[Action, ...]:
        """Actions that are valid with some claim; none is left out for what may be claimed."""
        onwards = dict.fromkeys(Lines(self.proof).onwards())
        return (*(action for action in onwards if self.proof.applies(*action)), *self.conclusions)

    def allowed(self, thought: str) -> tuple[Action, ...]:
        """What may follow a thought."""
        claim = claimed("", thought, self.language)
        concluded = claimed(CONCLUDE, thought, self.language)
        key = claim, concluded
        if key not in self.found:
            self.found[key] = self._allowed(claim, concluded)
        return self.found[key]

    def _allowed(self, claim: Claim | Answer, concluded: Claim | Answer) -> tuple[Action, ...]:
        agreeing = tuple(action for action in self.conclusions if self.proof.stands(*action, concluded))
        if isinstance(concluded, Answer):
            return agreeing or self.anything
        if isinstance(claim, Unreadable | Answer):
            return self.anything
        lines = Lines(self.proof)
        proposed = lines.onwards() if claim is None else lines.towards(claim)
        standing = [action for action in dict.fromkeys(proposed) if self.proof.stands(*action, claim)]
        if any(option != ASSUME for option, _ in (*standing, *agreeing)):
            return (*standing, *agreeing)
        return (*self.anything, *standing)


class SolverGuide:
    """The guide over a vocabulary; with `at_random` its control."""

    def __init__(self, vocabulary: Vocabulary, *, at_random: bool) -> None:
        self._vocabulary = vocabulary
        self._at_random = at_random
        self._moves: Moves = {}
        self._node = lru_cache(_NODES)(one_of)  # with their masks, which are this vocabulary's
        self._states: OrderedDict[tuple[tuple[str, ...], str, tuple[str, ...], str], State] = OrderedDict()

    def follow(self, problem: Problem | None, stream: int) -> Follower:
        """See `Guide.follow`."""
        if problem is None:
            raise SokratesError(
                "a request under the solver guide has no problem; expected the problem whose proof it is"
            )
        begin = self._begin(problem)

        def opening(token_ids: Sequence[int]) -> Node | None:
            # "<" shows parsing that a label inside a line is one; behind a label with more text it changes nothing.
            *taken, now = parse(f"{self._vocabulary.decoder.text(token_ids)} <").steps
            state = begin
            for step in taken:
                state = state.step(step)
            if not state.conclusions:
                return None
            return self._node(_drawn(state, stream, len(taken)) if self._at_random else state.allowed(now.thought))

        return Follower(self._vocabulary, opening, self._moves)

    def _begin(self, problem: Problem) -> State:
        """The state before the first step, remembered for the problems that came last."""
        key = problem.premises, problem.conclusion, problem.premises_fol, problem.conclusion_fol
        if key not in self._states:
            read = read_problem(*key)
            self._states[key] = State(Proof(read.theory), read.language)
            if len(self._states) > _PROBLEMS:
                self._states.popitem(last=False)
        self._states.move_to_end(key)
        return self._states[key]


def _drawn(state: State, stream: int, number: int) -> tuple[Action, ...]:
    """One of the valid actions, drawn evenly by the stream and the number of the step."""
    digest = hashlib.blake2b(repr((stream, number)).encode(), digest_size=8).digest()
    return (state.anything[int.from_bytes(digest, "big") % len(state.anything)],)
