"""HTML and SVG that cannot be broken by the text in them.

Contract: whatever is not `Html` already is text, and is escaped where it is put in; only this module makes `Html`. It
knows tags and attributes, not what a page says. Attributes are for structure: a strict page allows no `style`.
"""

from __future__ import annotations

from html import escape
from typing import TypeAlias

VOID = {"meta", "input", "br", "hr"}
"""Elements without an end tag."""


class Html(str):
    """Markup; everything in it is escaped already."""

    __slots__ = ()


Child: TypeAlias = "Html | str | int | float | None"


def tag(name: str, /, *children: Child, **attributes: str | int | float | bool | None) -> Html:
    """An element. None is no child; an attribute that is None or False is left out, True stands alone.

    Underscores in attribute names become hyphens, and one at the end (`class_`, `for_`) goes.
    """
    written = "".join(_attribute(key, value) for key, value in attributes.items() if value not in (None, False))
    end = "" if name in VOID else f"</{name}>"
    return Html(f"<{name}{written}>{join(*children)}{end}")


def join(*children: Child, separator: str = "") -> Html:
    """Elements and text, one after the other."""
    return Html(separator.join(_child(child) for child in children if child is not None))


def _child(child: Child) -> str:
    return child if isinstance(child, Html) else escape(str(child), quote=False)


def _attribute(key: str, value: str | int | float | bool | None) -> str:
    name = key.rstrip("_").replace("_", "-") if key != "viewBox" else key
    return f" {name}" if value is True else f' {name}="{escape(str(value))}"'


def table(header: list[Child], rows: list[list[Child]], *, caption: str = "", class_: str | None = None) -> Html:
    """A table in a box that scrolls sideways by itself; the first cell of each row is its header."""
    head = tag("tr", *(tag("th", cell, scope="col") for cell in header))
    body = [
        tag("tr", tag("th", row[0], scope="row"), *(cell if _is_cell(cell) else tag("td", cell) for cell in row[1:]))
        for row in rows
    ]
    named = tag("caption", caption) if caption else None
    whole = tag("table", named, tag("thead", head), tag("tbody", *body), class_=class_)
    return tag("div", whole, class_="scroll", tabindex=0, role="region", aria_label=caption or "table")


def _is_cell(child: Child) -> bool:
    return isinstance(child, Html) and child.startswith("<td")
