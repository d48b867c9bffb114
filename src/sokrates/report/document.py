"""The report as one HTML file that needs nothing else: figures, and the trace explorer with its data.

Contract: the page asks no network for anything and could not: its policy allows only the script and the style that are
in it, by their hashes. The text of traces reaches it as compressed data, and the script puts it in as text alone. The
same run gives the same bytes. The page's own files lie in `page/`: real ECMAScript modules, one purpose each, joined
here by leaving out how they import each other, so names are unique among them.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from sokrates import __version__, jsonl
from sokrates.metrics import stage_row
from sokrates.report import sections
from sokrates.report.explorer import Columns, Traces, index, pieces, slim, survey
from sokrates.report.folder import RunFolder, read_run
from sokrates.report.markup import Html, join, tag

REPORT = "report.html"
MODULES = ("dom", "store", "filters", "list", "graph", "trace", "search", "hash", "theme", "main")
"""The page's modules, each after those it imports."""

_PAGE = files("sokrates") / "report" / "page"
_IMPORT = re.compile(r"^import .*\n", re.MULTILINE)
_EXPORT = re.compile(r"^export ", re.MULTILINE)


def write_report(folder: str | Path, output: str | Path | None = None) -> Path:
    """Write the report of a run folder, beside its files where no `output` is given; returns where it is.

    Errors: as `read_run`; BadRecord for a line that is no trace.
    """
    run = read_run(folder)
    found = survey(run.stages)
    if not run.rows and len(run.stages) == 1 and found.verified and found.labelled:
        run.rows = [stage_row(run.stages[0].name, slim(run.stages[0]))]
    target = Path(output) if output is not None else run.root / REPORT
    with jsonl.atomic(target) as file:
        for part in _parts(run, found):
            file.write(part)
    return target


def _parts(run: RunFolder, found: Traces) -> Iterator[bytes]:
    """The page from its beginning to its end; what is before the data is small."""
    before, _, after = _document(run, found).partition("<!-- data -->")
    yield before.encode()
    columns = Columns()
    for number, piece in enumerate(pieces(found, columns)):
        yield _data(f"piece-{number}", piece)
    yield _data("index", index(found, columns))
    yield after.encode()


def _data(name: str, content: bytes) -> bytes:
    return b'<script type="application/octet-stream" id="%s">%s</script>\n' % (name.encode(), content)


def _document(run: RunFolder, found: Traces) -> Html:
    style, script = Html(_text("page.css")), Html(_script())
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; base-uri 'none'; form-action 'none'"
    )
    parts = {
        "results": sections.results(run),
        "transfer": sections.transfer(run),
        "failures": sections.failures(run, found),
        "pairs": sections.pairs(run),
        "losses": sections.losses(run),
        "time": sections.time(run),
    }
    header = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", f"{run.root.resolve().name} · SOKRATES"),
        tag("style", style),
    )
    links = [tag("a", name, href=f"#{name}") for name, part in parts.items() if part is not None]
    body = tag(
        "body",
        tag("a", "Skip to the traces", href="#traces", class_="skip"),
        tag("nav", *links, tag("a", "traces", href="#traces"), _theme_button(), aria_label="Sections"),
        tag("main", tag("header", sections.head(run, found, __version__)), *parts.values(), _explorer()),
        Html("<!-- data -->"),
        tag("script", script, type="module"),
    )
    return join(Html("<!doctype html>\n"), tag("html", header, body, lang="en"), "\n")


def _theme_button() -> Html:
    return tag("button", "dark", type="button", id="theme", aria_label="Switch between light and dark")


def _explorer() -> Html:
    return Html(_text("explorer.html"))


def _text(name: str) -> str:
    return (_PAGE / name).read_text(encoding="utf-8")


def _script() -> str:
    """The modules as one, in their order."""
    return "\n".join(_EXPORT.sub("", _IMPORT.sub("", _text(f"{name}.js"))) for name in MODULES)


def _hash(text: str) -> str:
    """What a content security policy calls an inline script or style by."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
