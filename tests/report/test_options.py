"""The page of the options is what the rules say; that its examples hold is tested with the rules."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from sokrates.cli import main
from sokrates.logic.rules import RULES
from sokrates.report.options import options_page

PAGE = Path(__file__).parents[2] / "docs" / "options.md"


def test_the_page_in_docs_is_what_the_command_prints():
    printed = CliRunner().invoke(main, ["options"])
    assert printed.exit_code == 0
    assert printed.output == options_page() == PAGE.read_text(encoding="utf-8"), "sokrates options > docs/options.md"


def test_every_rule_has_its_section():
    page = options_page()
    for rule in RULES.values():
        section = page.partition(f"\n## {rule.name}\n")[2].partition("\n## ")[0]
        assert rule.sentence in section and rule.gives in section and f'type="{rule.name}"' in section
