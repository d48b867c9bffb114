"""A stage's output folder: what made it, whether it is whole, and when a stage may go on in it.

Contract: the first things in a folder are the resolved `config.yaml` and `stage.json`, the settings that its content
depends on; the last is `summary.json`. A folder that holds the work of other settings is never added to or overwritten,
and one that another process is at work in (`claimed`) is not entered.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from filelock import FileLock, Timeout

from sokrates import jsonl, ranks
from sokrates.config import Config, dump
from sokrates.errors import SokratesError

STAGE, SUMMARY, CONFIG = "stage.json", "summary.json", "config.yaml"
LOCK = ".lock"


@contextmanager
def claimed(output: Path) -> Iterator[None]:
    """Have a folder for this process alone; of several that were launched together the main one has it for all.

    Errors: SokratesError where another process has it.
    """
    if not ranks.is_main():
        yield
        return
    output.mkdir(parents=True, exist_ok=True)
    lock = FileLock(output / LOCK, blocking=False)
    try:
        lock.acquire()
    except Timeout:
        raise SokratesError(f"{output}: another process is at work in it; wait for it or end it first") from None
    try:
        yield
    finally:
        lock.release()


def begin(output: Path, settings: dict[str, Any], config: Config) -> bool:
    """Claim a folder for these settings; True when the stage is finished there already.

    Errors: SokratesError naming the settings that differ from those the folder was begun with.
    """
    wanted: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(settings))
    earlier = _begun_with(output)
    if earlier != wanted:
        if earlier is not None and not _is_empty(output):
            differing = "; ".join(changed(earlier, wanted).values())
            raise SokratesError(
                f"{output}: begun with other settings ({differing}); give another --output or remove it"
            )
        if earlier is None and (output / SUMMARY).is_file():
            raise SokratesError(f"{output}: holds the result of something else; give another --output")
        own = {jsonl.partial_path(output / name) for name in (STAGE, CONFIG)}
        if foreign := sorted(set(output.glob("*.partial")) - own):
            raise SokratesError(f"{foreign[0]}: half-written by nothing that was begun here; give another --output")
        with jsonl.atomic(output / CONFIG) as file:
            file.write(dump(config).encode())
        jsonl.write_json(output / STAGE, wanted)
    return (output / SUMMARY).is_file()


def changes(output: Path, settings: dict[str, Any]) -> dict[str, str]:
    """The settings that differ from those a folder was begun with: what each was and is, by its dotted name."""
    earlier = _begun_with(output)
    wanted: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(settings))
    return {} if earlier is None else changed(earlier, wanted)


def begin_anew(output: Path, settings: dict[str, Any], config: Config) -> None:
    """Let a folder, whose content that is stale was removed, be one that was begun with these settings."""
    (output / SUMMARY).unlink(missing_ok=True)
    with jsonl.atomic(output / CONFIG) as file:
        file.write(dump(config).encode())
    jsonl.write_json(output / STAGE, settings)


def _begun_with(output: Path) -> dict[str, Any] | None:
    """Errors: SokratesError for a file that this program cannot have written."""
    return jsonl.read_json(output / STAGE, dict[str, Any]) if (output / STAGE).is_file() else None


def _is_empty(output: Path) -> bool:
    return {path.name for path in output.iterdir()} <= {STAGE, CONFIG, LOCK}


def changed(earlier: dict[str, Any], wanted: dict[str, Any]) -> dict[str, str]:
    """The settings that differ, by their dotted names, each with what it was and what it is.

    One that only one side has is that of another version, whatever its value.
    """
    before, after = dict(_flat(earlier)), dict(_flat(wanted))
    told = {}
    for key in sorted({*before, *after}):
        if key not in after:
            told[key] = f"{key} was {before[key]}, which is no setting of this version"
        elif key not in before:
            told[key] = f"{key} is {after[key]}, which was no setting of the version that began it"
        elif before[key] != after[key]:
            told[key] = f"{key} was {before[key]}, is {after[key]}"
    return told


def _flat(settings: dict[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in settings.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def file_hash(path: str | Path) -> str:
    """The SHA-256 of a file's bytes, shortened: how stages know their inputs."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def records_hash(records: Iterable[Any]) -> str:
    """The SHA-256 of records as JSON lines, shortened."""
    digest = hashlib.sha256()
    for record in records:
        digest.update(msgspec.json.encode(record) + b"\n")
    return digest.hexdigest()[:16]
