"""How fast the report of a run of 30,000 traces is made, opened and filtered.

    python -m benchmarks.report [--traces 30000] [--output benchmarks/results/report-30000.json]

The run is made without a model (`report_run`). The page is opened in headless Chromium from the disk; times are the
page's own: from the start of navigation to the list shown, and from a choice in the form to the frame after the list
is drawn anew. Medians of several.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.machine import PROJECT, describe
from benchmarks.report_run import make_run
from sokrates import jsonl
from sokrates.report.document import write_report

OPENINGS, REPEATS = 5, 5

OPENED = "() => performance.getEntriesByName('ready')[0].startTime"
FILTER = """
async ([id, value]) => {
  const form = document.getElementById("filters");
  const before = performance.now();
  document.getElementById(id).value = value;
  form.dispatchEvent(new Event("input"));
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  return performance.now() - before;
}
"""
"""Chooses in the form as a reader does, and waits until the page has drawn what comes of it."""

FILTERS = {
    "all stages": ("stage", ""),
    "verdict: correct but invalid": ("verdict", "unproved"),
    "verdict: any": ("verdict", ""),
    "reason": ("reason", "6"),
    "reason: any": ("reason", ""),
    "search for an id": ("query", "eval-77"),
    "search for a word": ("query", "happy"),
    "search: nothing": ("query", ""),
    "compare with base": ("against", "0"),
    "became valid": ("change", "gained"),
    "same verdict": ("change", "same"),
}
"""Each choice is made on top of those before it, from all 30,000 traces on."""


def measure(page_file: Path, chromium: str) -> dict[str, Any]:
    """Milliseconds to open the page, for each filter, and for a search inside all traces."""
    from playwright.sync_api import sync_playwright

    opened: list[float] = []
    filtered: dict[str, list[float]] = {name: [] for name in FILTERS}
    errors: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for _ in range(OPENINGS):
            page = browser.new_page()
            page.on("console", lambda message: errors.append(message.text))
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.goto(page_file.as_uri())
            page.wait_for_selector("html[data-ready]")
            opened.append(page.evaluate(OPENED))
            for _ in range(REPEATS):
                for name, choice in FILTERS.items():
                    filtered[name].append(page.evaluate(FILTER, [*choice]))
                page.evaluate("document.getElementById('filters').reset()")
            inside = _search_inside(page)
            version = browser.version
            page.close()
        browser.close()
    if errors:
        sys.exit(f"the page's console is not empty: {errors[:3]}")
    return {
        "chromium": version,
        "open_ms": _times(opened),
        "filter_ms": {name: _times(values) for name, values in filtered.items()},
        "slowest_filter_ms": round(max(max(values) for values in filtered.values()), 1),
        "search_inside_all_ms": round(inside),
    }


def _search_inside(page: Any) -> float:
    """Milliseconds until every trace was unpacked and searched for a word."""
    page.evaluate("document.getElementById('deep').checked = true")
    began = time.perf_counter()
    page.fill("#query", "antecedent")
    page.locator("#count", has_text="searching").wait_for()
    page.locator("#count", has_text=re.compile(r"^[\d,]+ of ")).wait_for()
    return 1000 * (time.perf_counter() - began)


def _times(values: list[float]) -> dict[str, float]:
    return {"median": round(statistics.median(values), 1), "most": round(max(values), 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--traces", type=int, default=30_000)
    parser.add_argument("--output", type=Path, default=PROJECT / "benchmarks" / "results" / "report-30000.json")
    arguments = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("no Chromium found; expected chromium, chromium-browser or google-chrome on the path")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "run"
        eighth = arguments.traces // 8  # four stages and four samples
        traces = make_run(folder, evaluated=eighth, sampled=eighth, distinct=1000)
        began = time.perf_counter()
        page = write_report(folder)
        made = time.perf_counter() - began
        result = {
            "what": "the report of a run: made, opened in headless Chromium, filtered; milliseconds of the page's own",
            "traces": traces,
            "traces_megabytes": round(sum(file.stat().st_size for file in folder.rglob("traces.jsonl")) / 1e6, 1),
            "page_megabytes": round(page.stat().st_size / 1e6, 1),
            "made_seconds": round(made, 1),
            "peak_megabytes": round(_peak_of_writing(folder), 1),
            **measure(page, chromium),
            "machine": describe("playwright", "msgspec", code=("src/sokrates/report", "benchmarks/report.py")),
        }
    jsonl.write_json(arguments.output, result)
    print(f"{result['traces']:,} traces, {result['traces_megabytes']} MB: made in {result['made_seconds']} s, ", end="")
    print(f"at most {result['peak_megabytes']} MB of memory; page {result['page_megabytes']} MB")
    print(f"open {result['open_ms']['median']} ms; slowest filter {result['slowest_filter_ms']} ms; ", end="")
    print(f"search inside all {result['search_inside_all_ms']} ms; {arguments.output}")


def _peak_of_writing(folder: Path) -> float:
    """Most megabytes that a process holds which writes the report and nothing else."""
    code = (
        "import sys; from pathlib import Path; from sokrates.report.document import write_report; "
        "write_report(sys.argv[1], sys.argv[2]); status = Path('/proc/self/status').read_text().splitlines(); "
        "print(next(line.split()[1] for line in status if line.startswith('VmHWM')))"
    )
    command = [sys.executable, "-c", code, str(folder), str(folder / "again.html")]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT / "src")}
    ended = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return int(ended.stdout) * 1024 / 1e6


if __name__ == "__main__":
    main()
