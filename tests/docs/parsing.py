"""Whether a command that a page shows exists: the program's own parser judges it, and nothing is run."""

from __future__ import annotations

import re
import shlex
import tomllib

import click

from sokrates.cli import main
from sokrates.config import load
from tests.docs.pages import PROJECT

_ENDS = {"|", "||", "&&", ";", ">", ">>", "<", "<<", "&", "2>"}
_ASSIGNMENT = re.compile(r"[A-Z_]+=.*")


class NoSuchCommand(Exception):
    """What a page shows and the project does not have."""


def check(command: str, *, whole: bool = True) -> None:
    """Errors: NoSuchCommand, or click's own, for a command, sub-command, option, override, target or extra that is
    not there. What is not `whole` (named in passing, or with … in it) may lack what the command requires."""
    whole = whole and "…" not in command
    for words in _parts(command):
        program, *rest = words
        if program in ("cd", "git"):
            continue
        if program == "pip":
            _extras(rest)
        elif program == "make":
            _targets(rest)
        elif "sokrates" in words:
            arguments = words[words.index("sokrates") + 1 :]
            (_parse if whole else _named)(arguments)
        elif (module := _module(words)) is not None:
            _module_options(module, rest)


def _parts(command: str) -> list[list[str]]:
    """The words of each simple command: without its variables, and without where its output goes."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.whitespace_split, lexer.commenters = True, "#"
    parts: list[list[str]] = [[]]
    for word in lexer:
        if word in _ENDS:
            parts.append([word])
        elif word != "…" and (parts[-1] or not _ASSIGNMENT.fullmatch(word)):
            parts[-1].append(word)
    return [part[1:] if part[0] in _ENDS else part for part in parts if part and part[0] not in ("<", "<<", ">", ">>")]


def _parse(arguments: list[str]) -> None:
    """As the program would, all but the work; what its overrides say is looked at too."""
    command, rest = _command(arguments)
    found = command.make_context(command.name, rest, resilient_parsing=not {"--help", "--version"}.isdisjoint(rest))
    if "overrides" in found.params:
        file = found.params["config_file"]
        shipped = PROJECT / file if file is not None and file.parts[0] == "configs" else None
        load(shipped, list(found.params["overrides"] or ()))


def _named(arguments: list[str]) -> None:
    command, rest = _command(arguments)
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    for word in rest:
        if word.startswith("-") and word.partition("=")[0] not in known | {"--help", "-h"}:
            raise NoSuchCommand(f"{command.name} has no option {word}")


def _command(arguments: list[str]) -> tuple[click.Command, list[str]]:
    """The sub-command, and what is left for it; COMMAND stands for any."""
    command: click.Command = main
    while isinstance(command, click.Group) and arguments and not arguments[0].startswith("-"):
        name, *arguments = arguments
        if name == "COMMAND":
            break
        if name not in command.commands:
            raise NoSuchCommand(f"no command {name}; expected one of {', '.join(command.commands)}")
        command = command.commands[name]
    return command, arguments


def _extras(words: list[str]) -> None:
    known = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    for named in re.findall(r"(?:^|\s)(?:sokrates|\.)\[([\w,]+)\]", " ".join(words)):
        for extra in named.split(","):
            if extra not in known:
                raise NoSuchCommand(f"no extra {extra}: expected one of {', '.join(known)}")


def _targets(words: list[str]) -> None:
    known = re.findall(r"^([\w-]+):", (PROJECT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    for word in words:
        if "=" not in word and word not in known:
            raise NoSuchCommand(f"make has no target {word}")


def _module(words: list[str]) -> str | None:
    return next((word for word in words if word.startswith("benchmarks.")), None)


def _module_options(module: str, words: list[str]) -> None:
    path = PROJECT / f"{module.replace('.', '/')}.py"
    if not path.is_file():
        raise NoSuchCommand(f"no module {module}")
    text = path.read_text(encoding="utf-8")
    for word in words:
        if word.startswith("--") and f'"{word.partition("=")[0]}"' not in text:
            raise NoSuchCommand(f"{module} has no option {word}")
