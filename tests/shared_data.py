"""Data that only the developers' machines have, beside the repository; tests of it are skipped elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "data"


def files(pattern: str) -> list[Path]:
    """The files that match, under ../shared/data."""
    return sorted(FOLDER.glob(pattern))


def needs(pattern: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not files(pattern), reason=f"no {FOLDER / pattern}")
