"""A stage's output folder: what made it, whether it is whole, and when a stage may go on in it.

Contract: the first thing in a folder is `stage.json`, the settings that its content depends on; the last is
`summary.json`. A folder begun with other settings is never added to or overwritten.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec

from sokrates import jsonl
from sokrates.config import Config, dump
from sokrates.errors import SokratesError

STAGE, SUMMARY, CONFIG = "stage.json", "summary.json", "config.yaml"


def begin(output: Path, settings: dict[str, Any], config: Config) -> bool:
    """Claim a folder for these settings; True when the stage is finished there already.

    Errors: SokratesError naming the settings that differ from those the folder was begun with.
    """
    settings = msgspec.json.decode(msgspec.json.encode(settings))
    if (output / STAGE).is_file():
        earlier = jsonl.read_json(output / STAGE)
        if earlier != settings:
            keys = sorted(k for k in {*earlier, *settings} if earlier.get(k) != settings.get(k))
            changes = "; ".join(f"{key} was {earlier.get(key)}, is {settings.get(key)}" for key in keys)
            raise SokratesError(f"{output}: begun with other settings ({changes}); give another --output or remove it")
    else:
        if (output / SUMMARY).is_file():
            raise SokratesError(f"{output}: holds the result of something else; give another --output")
        jsonl.write_json(output / STAGE, settings)
        with jsonl.atomic(output / CONFIG) as file:
            file.write(dump(config).encode())
    return (output / SUMMARY).is_file()


def file_hash(path: str | Path) -> str:
    """The SHA-256 of a file's bytes, shortened: how stages know their inputs."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
