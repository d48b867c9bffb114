"""Errors of the disk and its files, in a sentence: which path, what happened, what to do.

Contract: `explain` knows the errors that are the machine's and no bug of a program. `Writing` makes those of them that
libraries raise in their own ways (torch, safetensors, tokenizers) an OSError with a path again. It mends nothing: what
is written beside its final name and renamed stays whole by itself.
"""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from types import TracebackType

_GOES_ON = "nothing that was whole is harmed, and the same command goes on where it stopped"
_SENTENCES = {
    errno.ENOSPC: f"the disk is full. Make room: {_GOES_ON}",
    errno.EDQUOT: f"your share of the disk (quota) is used up. Make room: {_GOES_ON}",
    errno.EFBIG: f"a file may not become so large here. Raise the limit (`ulimit -f`): {_GOES_ON}",
    errno.EIO: f"the disk failed to read or write. See to the disk or give another --output: {_GOES_ON}",
    errno.EROFS: "the disk can only be read. Give a path on another one",
    errno.EACCES: "permission denied. Give a path that you may read and write, or have its permissions changed",
    errno.EPERM: "not permitted. Give a path that you may read and write, or have its permissions changed",
    errno.ENOTDIR: "a file stands where this path needs a folder. Give another path, or move the file away",
    errno.EEXIST: "a file of this name stands where a folder is to be. Give another path, or move the file away",
}
_NUMBER = re.compile(r"\(os error (\d+)\)")
_TORCH = ("PytorchStreamWriter failed", "unexpected pos", "file write failed")


def explain(error: OSError) -> str:
    """The error as one sentence for the user; of one that is not known here what Python says."""
    sentence = _SENTENCES.get(error.errno or 0)
    if sentence is None:
        return str(error)
    return f"{error.filename or 'output'}: {sentence}"


class Writing:
    """A block that writes `path`, a file or a folder: errors of the disk that come without a path get this one.

    Errors: OSError for those that a library written in another language has hidden in a text of its own.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)

    def __enter__(self) -> Writing:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if isinstance(error, OSError):
            if error.filename is None:
                error.filename = self.path
        elif isinstance(error, Exception) and (number := self._hidden(str(error))):
            raise OSError(number, os.strerror(number), self.path) from error

    def _hidden(self, text: str) -> int | None:
        """The number of the system's error that a text tells of."""
        if found := _NUMBER.search(text):
            return int(found[1])
        if any(phrase in text for phrase in _TORCH):
            return _tried(self.path)
        return None


def _tried(path: str) -> int:
    """The error of a small write beside `path`: torch says that it could not write, but not why."""
    folder = Path(path) if Path(path).is_dir() else Path(path).parent
    probe = folder / ".probe.partial"
    try:
        probe.write_bytes(bytes(1 << 20))
    except OSError as error:
        return error.errno or errno.EIO
    finally:
        probe.unlink(missing_ok=True)
    return errno.ENOSPC  # a megabyte found room where more did not
