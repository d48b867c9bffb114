"""The pages of the documentation as the tests see them: their blocks of commands and patches, their links, their paths.

Contract: a block of commands is fenced as `sh`, or indented with a program at the beginning of one of its lines. Where
its first line is a comment such as `# needs a GPU`, it needs what an ordinary machine lacks, and is not run. A block
fenced as `diff` is a change of the repository that the page asks for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
PAGES = {str(path.relative_to(PROJECT)): path for path in [PROJECT / "README.md", *sorted(PROJECT.glob("docs/*.md"))]}

NEEDS = {"the network", "a GPU", "several GPUs", "several machines", "Ray", "TensorBoard", "a browser"}
"""What a block may be marked with, one or more joined by "and"."""

_PROGRAMS = (
    "accelerate cat docker export git head make mkdir nohup pip pytest python python3 ray rm sokrates source tail "
    "tensorboard timeout torchrun"
)
_PROGRAM = re.compile(rf"(?:[A-Z_]+=\S+ +)*(?:{'|'.join(_PROGRAMS.split())})\b")
_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?<=\n\n)(?: {4}.*\n|\n(?= {4}))+")
_HERE_DOCUMENT = re.compile(r"(<<'?(\w+)'?.*\n)(?:.*\n)*?\2\n")
_NEEDS = re.compile(r"# needs (.+)")
_INLINE = re.compile(r"`([^`\n]+(?:\n[^`\n]+)?)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    page: str
    line: int
    kind: str
    """`sh` or `diff`; of another fence, its language."""
    text: str

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def needs(self) -> set[str]:
        found = _NEEDS.fullmatch(self.text.partition("\n")[0])
        return set(found[1].split(" and ")) if found else set()

    @property
    def commands(self) -> list[str]:
        """Its commands, each on one line, without what is given to them as text."""
        lines = _HERE_DOCUMENT.sub(r"\1", self.text).replace("\\\n", " ").splitlines()
        return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]


def blocks(page: str, text: str | None = None) -> list[Block]:
    """The blocks of a page, in order: commands, patches, and other fenced ones."""
    text = PAGES[page].read_text(encoding="utf-8") if text is None else text
    found = [(match.start(), match[1], match[2]) for match in _FENCED.finditer(text)]
    prose = _FENCED.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)
    for match in _INDENTED.finditer(prose):
        body = "".join(f"{line[4:]}\n" for line in match[0].splitlines())
        if any(_PROGRAM.match(line) for line in body.splitlines()):
            found.append((match.start(), "sh", body))
    return [Block(page, text.count("\n", 0, start) + 1, kind, body) for start, kind, body in sorted(found)]


def _prose(page: str) -> str:
    return _FENCED.sub("", PAGES[page].read_text(encoding="utf-8"))


def inline_code(page: str) -> Iterator[str]:
    """What stands between backticks outside of fences."""
    return (" ".join(match[1].split()) for match in _INLINE.finditer(_prose(page)))


def links(page: str) -> Iterator[str]:
    return (match[1] for match in _LINK.finditer(_prose(page)))


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ +(.+?) *$", _FENCED.sub("", text), re.MULTILINE)
    plain = (re.sub(r"\]\([^)]*\)", "]", heading).lower() for heading in headings)
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in plain}
