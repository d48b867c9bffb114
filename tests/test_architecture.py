"""The shape of the package: imports point one way, and asking for help loads nothing heavy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from importlinter.cli import lint_imports

PROJECT = Path(__file__).parent.parent

HEAVY = {"torch", "transformers", "trl", "peft", "datasets", "vllm", "ray", "z3"}

ASK_FOR_HELP = """
import runpy, sys
sys.argv = ["sokrates", "--help"]
try:
    runpy.run_module("sokrates", run_name="__main__")
except SystemExit as end:
    assert not end.code, end.code
print("LOADED", *{name.partition(".")[0] for name in sys.modules})
"""


def test_imports_point_one_way(monkeypatch, capsys):
    monkeypatch.chdir(PROJECT)
    monkeypatch.syspath_prepend(str(PROJECT / "src"))
    status = lint_imports(config_filename=str(PROJECT / "pyproject.toml"), no_cache=True)
    assert status == 0, capsys.readouterr().out


def test_help_loads_no_heavy_library():
    result = subprocess.run(
        [sys.executable, "-c", ASK_FOR_HELP],
        capture_output=True,
        text=True,
        timeout=60,
        env={"PYTHONPATH": "src"},
        cwd=PROJECT,
    )
    assert result.returncode == 0, result.stderr
    help_text, _, loaded = result.stdout.rpartition("LOADED")
    assert "Usage" in help_text
    assert not HEAVY & set(loaded.split())
