"""JSON lines on disk: typed reading that names the bad line, and writing that is never seen half done.

Contract: a file under its final name is whole. Writers fill `NAME.partial` beside it and rename at the end; a writer
that was killed leaves the partial file, whose complete lines a resumed stage may read with `read_partial`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TypeVar

import msgspec

from sokrates.disk import Writing
from sokrates.errors import BadRecord, SokratesError

T = TypeVar("T")

UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding a bad line may raise."""

_ID = re.compile(rb'"(?:problem_)?id"\s*:\s*"([^"\\]{1,200})"')


class SetAside:
    """Where `--skip-bad` puts the records it cannot use: counted here, streamed to a file of their own.

    The file is written beside its final name, from nothing in each run, and takes that name when it is closed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self._file: IO[bytes] | None = None

    def add(self, error: BadRecord, raw: str) -> None:
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = partial_path(self.path).open("wb")
        entry = {"line": error.line, "problem_id": error.problem_id, "error": error.message, "record": raw}
        with Writing(self.path):
            self._file.write(encode(entry))
            self._file.flush()
        self.count += 1

    @property
    def errors(self) -> list[dict[str, Any]]:
        """The records set aside so far, read back."""
        path = self.path if self._file is None else partial_path(self.path)
        return list(read(path, dict)) if self.count else []

    def close(self) -> int:
        """Give the file its name (there is none when nothing was set aside); returns how many were."""
        if self._file is not None:
            os.fsync(self._file.fileno())
            self._file.close()
            self._file = None
            os.replace(partial_path(self.path), self.path)
        return self.count


def require(path: str | Path) -> Path:
    """The path of a file that is there. Errors: SokratesError where it is not."""
    source = Path(path)
    if not source.is_file():
        raise SokratesError(f"{source}: no such file")
    return source


def read_raw(path: str | Path) -> Iterator[tuple[int, bytes]]:
    """The non-blank lines of a file with their numbers, from 1. Errors: SokratesError where there is no such file."""
    with require(path).open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield number, line


def read(path: str | Path, kind: type[T], *, set_aside: SetAside | None = None) -> Iterator[T]:
    """The records of a JSON-lines file, decoded and validated as `kind`. Errors: as `read_numbered`."""
    return (record for _, record in read_numbered(path, kind, set_aside=set_aside))


def read_numbered(path: str | Path, kind: type[T], *, set_aside: SetAside | None = None) -> Iterator[tuple[int, T]]:
    """The records of a JSON-lines file with their line numbers.

    Errors: BadRecord with file, line and the field that is wrong; with `set_aside` such lines are put there instead.
    """
    decoder = msgspec.json.Decoder(kind)
    for number, line in read_raw(path):
        try:
            yield number, decoder.decode(line)
        except UNDECODABLE as error:
            bad = BadRecord(describe(error, kind), path=str(path), line=number, problem_id=problem_id(line))
            if set_aside is None:
                raise bad from None
            set_aside.add(bad, text(line))


def describe(error: Exception, kind: type) -> str:
    """Why a line could not be decoded, and what was expected there."""
    if isinstance(error, msgspec.ValidationError):
        return f"not a {kind.__name__}: {error}"
    return f"not a line of JSON ({error}); expected one {kind.__name__} as a JSON object"


def text(line: bytes) -> str:
    """A line as it is set aside."""
    return line.decode("utf-8", "replace").rstrip("\r\n")


def problem_id(line: bytes) -> str | None:
    """The id of a record that may be bad otherwise, for its error message."""

    class Named(msgspec.Struct):
        problem_id: str | None = None
        id: str | None = None

    try:
        named = msgspec.json.decode(line, type=Named)
    except UNDECODABLE:
        found = _ID.search(line)  # the line may be cut off, its id not
        return found.group(1).decode("utf-8", "replace") if found else None
    return named.problem_id or named.id


@contextmanager
def atomic(path: str | Path) -> Iterator[IO[bytes]]:
    """A binary file that appears under `path` only when the block ends without an error.

    Where the disk refuses it, what was written of it gives its room back.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = partial_path(target)
    try:
        with Writing(target), partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        partial.unlink(missing_ok=True)
        raise
    os.replace(partial, target)


def partial_path(path: str | Path) -> Path:
    return Path(f"{path}.partial")


def encode(record: Any) -> bytes:
    """A record as a line."""
    return msgspec.json.encode(record) + b"\n"


def write(path: str | Path, records: Iterable[Any]) -> int:
    """Write records as JSON lines, whole or not at all; returns how many."""
    count = 0
    with atomic(path) as file:
        for record in records:
            file.write(encode(record))
            count += 1
    return count


def read_partial(path: str | Path, kind: type[T]) -> list[T]:
    """The complete records of a writer that was killed; what follows the last that is whole is cut off the file."""
    partial = partial_path(path)
    if not partial.is_file():
        return []
    decoder = msgspec.json.Decoder(kind)
    records: list[T] = []
    whole = 0
    with partial.open("r+b") as file:
        for line in file:
            try:
                record = decoder.decode(line)
            except UNDECODABLE:
                break
            if not line.endswith(b"\n"):
                break
            records.append(record)
            whole += len(line)
        file.truncate(whole)
    return records


def write_json(path: str | Path, value: Any) -> None:
    """One JSON document, indented for people, whole or not at all."""
    with atomic(path) as file:
        file.write(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")


def read_json(path: str | Path, kind: type[T] | None = None) -> Any:
    """One JSON document. Errors: SokratesError naming the file and what is wrong with it."""
    source = Path(path)
    if not source.is_file():
        raise SokratesError(f"{source}: no such file")
    try:
        return msgspec.json.decode(source.read_bytes(), type=kind if kind is not None else Any)
    except msgspec.ValidationError as error:
        raise SokratesError(
            f"{source}: not what this version of the program writes there: {error}. "
            "Move it away, or give another --output"
        ) from None
    except UNDECODABLE as error:
        raise SokratesError(f"{source}: {error}") from None
