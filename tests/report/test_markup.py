"""Markup that no text can break."""

from __future__ import annotations

from sokrates.report.markup import Html, join, table, tag

EVIL = '</script><img src=x onerror="alert(1)">&'


def test_text_is_escaped_and_markup_is_not():
    assert tag("p", EVIL) == '<p>&lt;/script&gt;&lt;img src=x onerror="alert(1)"&gt;&amp;</p>'
    assert tag("p", tag("b", "x"), "<", 3, None) == "<p><b>x</b>&lt;3</p>"
    assert join("<", Html("<br>"), separator=" ") == "&lt; <br>"


def test_attributes_are_quoted_and_named_as_in_html():
    assert tag("a", "x", href='"><b>') == '<a href="&quot;&gt;&lt;b&gt;">x</a>'
    made = tag("input", type="checkbox", class_="c", aria_label="l", disabled=True, hidden=False, id=None)
    assert made == '<input type="checkbox" class="c" aria-label="l" disabled>'
    assert tag("svg", viewBox="0 0 1 1") == '<svg viewBox="0 0 1 1"></svg>'


def test_a_table_has_headers_and_cells_that_may_be_made_before():
    made = table(["stage", "n"], [["<b>", tag("td", "1", class_="x")], ["sft", 2]], caption="c")
    assert '<th scope="row">&lt;b&gt;</th><td class="x">1</td>' in made and "<td>2</td>" in made
    assert made.count('scope="col"') == 2 and "<caption>c</caption>" in made
