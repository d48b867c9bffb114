"""A stand-in for `pynvml`: some GPUs, and what each of them says."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace


class NVMLError(Exception):
    """What every error of NVML is."""


class LibraryNotFound(NVMLError):
    """There is no driver on this machine."""


@dataclass
class Card:
    """A GPU by its UUID; None is what it does not say."""

    uuid: str
    utilisation: int | None = 0
    gib: float | None = 0.0


class Nvml:
    """As much of the module as is used. Without cards there is no library."""

    NVMLError = NVMLError

    def __init__(self, *cards: Card) -> None:
        self.cards = cards

    def nvmlInit(self) -> None:
        if not self.cards:
            raise LibraryNotFound

    def nvmlDeviceGetCount(self) -> int:
        return len([card for card in self.cards if card.uuid.startswith("GPU-")])

    def nvmlDeviceGetHandleByIndex(self, index: int) -> Card:
        return self.cards[index]

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> Card:
        for card in self.cards:
            if card.uuid == uuid:
                return card
        raise NVMLError(uuid)

    def nvmlDeviceGetUUID(self, card: Card) -> bytes:
        return card.uuid.encode()

    def nvmlDeviceGetUtilizationRates(self, card: Card) -> SimpleNamespace:
        if card.utilisation is None:
            raise NVMLError
        return SimpleNamespace(gpu=card.utilisation)

    def nvmlDeviceGetMemoryInfo(self, card: Card) -> SimpleNamespace:
        if card.gib is None:
            raise NVMLError
        return SimpleNamespace(used=int(card.gib * 2**30))
