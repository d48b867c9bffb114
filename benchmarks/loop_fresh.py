"""`sokrates loop` as it would be without engines that stay: every stage starts its own and ends the one before.

python -m benchmarks.loop_fresh --config run.yaml
"""

from __future__ import annotations

import sys

from sokrates import asking, cli
from sokrates.engines import Engine


class FreshAskers(asking.Askers):
    """Ends the engine whenever one is asked for or has to rest."""

    def _start(self, name: str) -> Engine:
        self.close()
        return super()._start(name)

    def rest(self) -> None:
        self.close()


if __name__ == "__main__":
    asking.Askers = FreshAskers  # type: ignore[misc]  # before `oak` is imported, and torch with it
    cli.main(["loop", *sys.argv[1:]])
