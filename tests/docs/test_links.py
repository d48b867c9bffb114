"""What the pages point to is there: other pages, their headings, and files of the repository."""

from __future__ import annotations

import re

import pytest

from tests.docs.pages import PAGES, PROJECT, anchors, inline_code, links

_PATH = re.compile(r"(?:benchmarks|configs|docs|src|tests)/[\w./-]*\w")


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page):
    for link in links(page):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (PAGES[page].parent / name).resolve() if name else PAGES[page]
        assert target.exists(), f"{page}: {link}"
        assert target.is_relative_to(PROJECT), f"{page}: {link} leads out of the repository"
        assert not anchor or anchor in anchors(target.read_text(encoding="utf-8")), f"{page}: no heading for {link}"


@pytest.mark.parametrize("page", PAGES)
def test_every_path_that_is_named_exists(page):
    for code in inline_code(page):
        if _PATH.fullmatch(code):
            assert (PROJECT / code).exists(), f"{page}: {code}"


def test_every_page_is_in_the_index():
    listed = set(links("docs/README.md"))
    assert {path.name for path in (PROJECT / "docs").glob("*.md")} - {"README.md"} <= listed


def test_anchors_are_those_of_the_headings():
    text = "# One page\n\n## What `it` does, and why?\n\n```\n# no heading\n```\n### MODUS_PONENS\n"
    assert anchors(text) == {"one-page", "what-it-does-and-why", "modus_ponens"}
