"""Whether the trackers of `tracking` can be used here; asked before anything long begins, so it loads none of them."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from sokrates.errors import SokratesError


def check(trackers: Sequence[str]) -> None:
    """Errors: SokratesError saying how to install a tracker whose package is missing."""
    for name in trackers:
        if find_spec(name) is None:
            package = "tensorboard" if name == "tensorboard" else "'sokrates[tracking]'"
            raise SokratesError(
                f"tracking with {name}: the package is not installed: pip install {package}, "
                "or leave it out of tracking.trackers ([] tracks nothing)"
            )
