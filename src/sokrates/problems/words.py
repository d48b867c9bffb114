"""The words of generated problems.

The concept names are those of PrOntoQA's fictional ontologies, the entity names and the families of properties are of
its kind (Saparov and He, "Language Models Are Greedy Reasoners", ICLR 2023), so that a model trained on ours can read
theirs.
"""

from __future__ import annotations

from sokrates.logic.english_words import PROPERTIES

__all__ = ["CONCEPTS", "NAMES", "PROPERTIES"]

CONCEPTS = tuple(
    "wumpus yumpus zumpus dumpus rompus numpus tumpus vumpus impus jompus gorpus shumpus lempus sterpus grimpus "
    "lorpus brimpus".split()
)

NAMES = ("Max", "Alex", "Sally", "Wren", "Rex", "Fae", "Polly", "Stella", "Sam")
