"""The documentation does what it says: every command is one that the program has, and those that can be run are run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from sokrates.errors import SokratesError
from tests.docs.given import give
from tests.docs.pages import NEEDS, PAGES, PROJECT, Block, blocks, inline_code
from tests.docs.parsing import NoSuchCommand, check

_HEAVY = re.compile(
    r"\bsokrates (?:sft|generate|dpo|export|evaluate|demo|loop|pretrain)\b(?!.*--dry-run)"
    r"|\bpytest .*test_(?:soundness|prover)"
)
_NAMED = re.compile(r"(?:sokrates|make|pip install|python -m benchmarks\.\w+)(?: |$)")


def steps(page: str) -> list[Block]:
    """What a reader of a page does, in order: commands and patches, but none that need more or are cut short by …"""
    done = (block for block in blocks(page) if block.kind in ("sh", "diff"))
    return [block for block in done if not block.needs and "…" not in block.text]


def light(page: str) -> list[Block]:
    """The steps of a page before the first that loads a model, or runs long tests."""
    found = steps(page)
    first = (index for index, block in enumerate(found) if block.kind == "sh" and _HEAVY.search(block.text))
    return found[: next(first, len(found))]


LIGHT = [page for page in PAGES if light(page)]
HEAVY = [page for page in PAGES if len(light(page)) < len(steps(page))]


@pytest.mark.parametrize("page", PAGES)
def test_every_command_that_is_shown_exists(page):
    changed = False
    for block in blocks(page):
        assert block.needs <= NEEDS, f"{block.where}: needs {block.needs - NEEDS}; expected some of {NEEDS}"
        changed |= block.kind == "diff"
        for command in block.commands if block.kind == "sh" else []:
            _exists(block.where, command, whole=not changed)  # what a patch adds is found when the page is run
    for code in inline_code(page):
        if _NAMED.match(code):
            _exists(page, code, whole=False)


def _exists(where: str, command: str, *, whole: bool = True) -> None:
    try:
        check(command, whole=whole)
    except (click.ClickException, SokratesError, NoSuchCommand) as error:
        message = error.format_message() if isinstance(error, click.ClickException) else str(error)
        pytest.fail(f"{where}: {command}: {message}")


@pytest.mark.parametrize("page", PAGES)
def test_no_command_hides_in_a_block_of_another_kind(page):
    for block in blocks(page):
        if block.kind not in ("sh", "diff"):
            assert not re.search(r"^(?:\$ )?sokrates ", block.text, re.MULTILINE), f"{block.where}: fence it as sh"


WRONG = [
    "sokrates data generate --num-problem 5 --output problems.jsonl",
    "sokrates data generate --num-problems five --output problems.jsonl",
    "sokrates data generate --num-problems 5",
    "sokrates optionise problems.jsonl --output gold.jsonl",
    "CUDA_VISIBLE_DEVICES=0 sokrates sft --data gold.jsonl --output sft sft.learning_rat=1e-4 > sft.log",
    "sokrates sft --config configs/demmo.yaml --data gold.jsonl --output sft",
    "sokrates show traces.jsonl x && sokrates verify traces.jsonl",
    "accelerate launch -m sokrates sft --data gold.jsonl",
    "make demonstration",
    "pip install -e '.[vlm]'",
    "python -m benchmarks.verify",
    "python -m benchmarks.verification --memmory",
]


@pytest.mark.parametrize("command", WRONG)
def test_a_wrong_command_is_noticed(command):
    with pytest.raises((click.ClickException, SokratesError, NoSuchCommand)):
        check(command)


def test_a_wrong_command_in_passing_is_noticed():
    check("sokrates generate --engine vllm", whole=False)
    with pytest.raises(NoSuchCommand):
        check("sokrates generate --engin vllm", whole=False)


@pytest.mark.parametrize("page", LIGHT)
def test_what_needs_no_model_runs(page, clone):
    give(page, clone)
    for block in light(page):
        run(block, clone)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", HEAVY)
def test_a_whole_page_runs(page, clone):
    give(page, clone)
    for block in steps(page):
        run(block, clone)


def test_a_step_that_fails_is_noticed(clone):
    with pytest.raises(pytest.fail.Exception, match=r"(?s)page:1.*no such file"):
        run(Block("page", 1, "sh", "sokrates optionize none.jsonl --output gold.jsonl\necho on\n"), clone)
    with pytest.raises(pytest.fail.Exception, match="page:2"):
        run(Block("page", 2, "diff", "--- a/LICENCE\n+++ b/LICENCE\n@@ -1 +1 @@\n-one\n+other\n"), clone)


@pytest.fixture
def clone(tmp_path) -> Iterator[Path]:
    """A folder such as a reader has after installing: a copy of the repository, and the programs on the path."""
    folder, programs = tmp_path / "sokrates", tmp_path / "bin"
    folder.mkdir()
    programs.mkdir()
    for name in ("src", "tests", "configs", "docs", "benchmarks"):
        shutil.copytree(PROJECT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    shutil.copy(PROJECT / "pyproject.toml", folder)
    for name, arguments in (("python", ""), ("sokrates", "-m sokrates ")):
        (programs / name).write_text(f'#!/bin/sh\nexec {sys.executable} {arguments}"$@"\n')
        (programs / name).chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def run(block: Block, folder: Path) -> None:
    """Do what a block says; the test fails where one of its commands does."""
    if block.kind == "diff":
        command, given = ["git", "apply", "-"], block.text
    else:
        command, given = ["bash", "-euo", "pipefail", "-c", block.text], ""
    environment = {
        **os.environ,
        "PATH": f"{folder.parent / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": f"{folder / 'src'}:{folder}",
        "GIT_CEILING_DIRECTORIES": str(folder.parent),
    }
    done = subprocess.run(command, cwd=folder, env=environment, input=given, capture_output=True, text=True)
    if done.returncode:
        pytest.fail(
            f"{block.where}: status {done.returncode}\n{block.text}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        )
