"""The page as a file: it holds everything, asks for nothing, and says what the run says."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil

import pytest

from sokrates import jsonl
from sokrates.errors import SokratesError
from sokrates.report.document import MODULES, write_report
from sokrates.report.folder import read_run
from sokrates.report.table import results_markdown
from sokrates.timings import Timing
from sokrates.traces.trace import Trace


@pytest.fixture(scope="module")
def page(run_folder, tmp_path_factory) -> str:
    return write_report(run_folder, tmp_path_factory.mktemp("page") / "a" / "page.html").read_text(encoding="utf-8")


def test_nothing_is_asked_of_any_network(page):
    assert not re.search(r"<(link|iframe|object|embed|img|base)\b|\bsrc=|@import|url\(", page)
    found = {address for address in re.findall(r"https?://[^\"'\s<]*", page)}
    assert found == {"http://www.w3.org/2000/svg"}  # the name of SVG, which no one fetches


def test_the_policy_allows_this_script_and_this_style_and_nothing_else(page):
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1].replace("&#x27;", "'")
    assert policy.startswith("default-src 'none'") and "unsafe" not in policy and "data:" not in policy
    for element in (r'<script type="module">(.*?)</script>', r"<style>(.*?)</style>"):
        content = re.search(element, page, re.DOTALL)[1]
        assert base64.b64encode(hashlib.sha256(content.encode()).digest()).decode() in policy
    assert " style=" not in page and not re.search(r"\son\w+=", page)


def test_the_modules_are_joined_without_their_imports(page):
    script = re.search(r'<script type="module">(.*?)</script>', page, re.DOTALL)[1]
    assert not re.search(r"^\s*(import|export)\b", script, re.MULTILINE) and len(MODULES) == 10


def test_every_figure_of_the_tables_is_there(page, run_folder):
    run = read_run(run_folder)
    for line in results_markdown(run.rows + run.references).splitlines()[2:]:
        for figure in re.findall(r"\d+\.\d|\[[^\]]+\]", line):
            assert figure.replace("100]", "100.0]") in page, line
    clear = [found for found in run.differences if found.low > 0 or found.high < 0]
    assert page.count("<strong>") == len(clear) > 0
    assert run.digest in page and "2026-11-25 06:31 – 2026-11-25 06:37 UTC" in page
    assert "Preference pairs" in page and "sft: loss a token" in page and "iter1: DPO loss" in page


def test_what_of_the_device_was_used_is_told_where_it_is_known(page, run_folder, tmp_path):
    assert "Where the time went" in page and "GPU busy" not in page and "once a second" not in page
    shutil.copytree(run_folder, tmp_path / "run")
    parts = {"data": Timing(10.0), "generate": Timing(30.0, 0.93, 71.25)}
    jsonl.write_json(tmp_path / "run" / "timings.json", parts)
    told = write_report(tmp_path / "run").read_text("utf-8")
    section = re.search(r'<section id="time".*?</section>', told, re.DOTALL)[0]
    header, *rows = [re.findall(r"<t[dh][^>]*>([^<]*)", row) for row in re.findall(r"<tr.*?</tr>", section, re.DOTALL)]
    assert header == ["part", "time", "share", "", "GPU busy", "GPU memory"]
    assert [[row[0], row[-2], row[-1]] for row in rows] == [
        ["data", "–", "–"], ["generate", "93%", "71.2 GiB"], ["all", "93%", "71.2 GiB"],
    ]  # fmt: skip
    jsonl.write_json(tmp_path / "run" / "timings.json", {"data": Timing(10.0, peak_process_memory_gib=1.5)})
    told = write_report(tmp_path / "run").read_text("utf-8")
    assert "process memory" in told and "1.5 GiB" in told and "GPU memory" not in told


def test_the_same_run_gives_the_same_bytes(run_folder, tmp_path):
    first, second = (write_report(run_folder, tmp_path / name).read_bytes() for name in ("a.html", "b.html"))
    assert first == second


def test_a_folder_of_traces_gets_its_row(run_folder, tmp_path):
    shutil.copy(run_folder / "evaluation" / "sft" / "traces.jsonl", tmp_path)
    page = write_report(tmp_path)
    assert page == tmp_path / "report.html"
    [row] = [row for row in read_run(run_folder).rows if row.stage == "sft"]
    assert f"<td>{100 * row.accuracy.value:.1f}<small>" in page.read_text()


def test_an_unfinished_run_has_a_page(run_folder, tmp_path):
    for name in ("base", "sft"):
        shutil.copytree(run_folder / "evaluation" / name, tmp_path / "evaluation" / name)
    page = write_report(tmp_path).read_text()
    assert "Why steps fail" in page and "Preference pairs" not in page and 'id="results"' not in page


def test_traces_without_verdicts_or_labels_get_no_row(run_folder, tmp_path):
    traces = list(jsonl.read(run_folder / "evaluation" / "sft" / "traces.jsonl", Trace))
    traces[3].label = None
    jsonl.write(tmp_path / "traces.jsonl", traces)
    assert 'id="results"' not in write_report(tmp_path).read_text()


def test_a_folder_without_traces_writes_nothing(tmp_path):
    with pytest.raises(SokratesError, match=r"no traces.jsonl in it"):
        write_report(tmp_path)
    assert not list(tmp_path.iterdir())


def test_text_of_the_run_is_escaped(run_folder, tmp_path):
    folder = tmp_path / "<b>run"
    shutil.copytree(run_folder, folder)
    (folder / "config.yaml").write_text("model: </pre><script>alert(1)</script>\n")
    page = write_report(folder).read_text()
    assert "<b>run" not in page and "alert(1)</script>" not in page and "&lt;/pre&gt;&lt;script&gt;alert(1)" in page
