"""The words of controlled English: what may stand as a noun, an adjective or a verb, and their forms."""

from __future__ import annotations

_NUMBERS = "real natural prime even odd composite whole rational complex imaginary negative positive"
COMPOUNDS = frozenset(
    {f"{kind} number" for kind in _NUMBERS.split()} | {"mersenne prime", "painted lady", "bald eagle"}
)
"""The multi-word nouns of PrOntoQA's true and false ontologies (Saparov and He, 2023) and of ProofWriter."""

PROPERTIES = tuple(
    "blue red brown orange small large metallic wooden luminous liquid transparent opaque nervous happy feisty shy "
    "bright dull sweet sour spicy bitter floral fruity earthy hot cold temperate kind mean angry amenable aggressive "
    "melodic muffled discordant loud slow moderate fast windy sunny overcast rainy snowy".split()
)
"""The properties of PrOntoQA's fictional ontologies, or of their kind."""

ADJECTIVES = frozenset(PROPERTIES) | frozenset("nice furry smart round quiet rough young big green white".split())
"""What may stand before a noun: a red wumpus is red, and a wumpus. The others are ProofWriter's attributes."""

BASES = {"likes": "like", "sees": "see", "visits": "visit", "needs": "need", "eats": "eat", "chases": "chase"}
"""ProofWriter's transitive verbs; a predicate is named by the form on the right."""

THIRD_PERSON = {base: verb for verb, base in BASES.items()}
SINGULAR_VERBS = frozenset({"is", "belongs", "does", *BASES})
PLURAL_VERBS = frozenset({"are", "belong", "do", *THIRD_PERSON})
VERBS = SINGULAR_VERBS | PLURAL_VERBS

RESERVED = VERBS | frozenset(
    "a an the not and or if then that every each all no everything it to so therefore hence thus some something "
    "someone somebody nothing nobody none anything anyone anybody everyone everybody any this since assume either "
    "neither nor but because unless he she they we you i him her them us me his hers its their our your my himself "
    "herself itself themselves who whom whose which what there these those such most many few several both only "
    "same other another one former latter always never sometimes possibly thing things person people".split()
)
"""What is neither a noun nor an adjective nor a name."""

_IRREGULAR = frozenset({"sheep", "bacteria", "news", "means", "goods", "series", "species"})
_CAPITALISED = {"mersenne_prime": "Mersenne prime"}


def singular(noun: str) -> str:
    """The singular of a noun that may be plural; adjectives in -ous and -ss and nouns in -us stay as they are."""
    if noun in _IRREGULAR or noun.endswith(("us", "ss")) or not noun.endswith("s") or len(noun) < 3:
        return noun
    if noun.endswith("ies") and len(noun) > 4:
        return noun[:-3] + "y"
    if noun.endswith(("uses", "sses", "xes", "ches", "shes")):
        return noun[:-2]
    return noun[:-1]


def can_be_plural(noun: str) -> bool:
    """Whether a noun looks like a plural; "worpus" is one of those that have no other."""
    return singular(noun) != noun or noun in _IRREGULAR or (noun.endswith("us") and not noun.endswith("ous"))


def spell(predicate: str) -> str:
    """The words of a predicate's name."""
    return _CAPITALISED.get(predicate, predicate.replace("_", " "))
