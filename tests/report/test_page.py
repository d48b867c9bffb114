"""The page as a reader uses it, in headless Chromium: filters that count right, keys, addresses, text that stays text.

What the page shows is compared with what Python counts in the same files. No times: `benchmarks/report.py` has those.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.report_run import make_run
from sokrates import jsonl
from sokrates.logic.answer import Answer
from sokrates.problems import Problem
from sokrates.report.document import write_report
from sokrates.report.folder import read_run
from sokrates.report.proof import goal_line
from sokrates.traces.building import build_trace
from sokrates.traces.text import render, render_action
from sokrates.traces.trace import Step, Trace
from sokrates.verification.verify import verify

pytestmark = pytest.mark.browser

EVIL = "</script><img src=x onerror=\"document.title='owned'\"><b>bold</b> &amp;"


@pytest.fixture(scope="module")
def report(run_folder, tmp_path_factory) -> Path:
    return write_report(run_folder, tmp_path_factory.mktemp("page") / "report.html")


@pytest.fixture
def visit(browser) -> Iterator[Callable[..., Any]]:
    """Opens a page; at the end its console must be empty and it must have asked for nothing but itself."""
    opened, said, asked = [], [], []

    def visit(file: Path, address: str = "", **context: Any) -> Any:
        context = {"viewport": {"width": 1280, "height": 900}} | context
        page = browser.new_context(**context).new_page()
        opened.append(page)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url.partition("#")[0]))
        page.goto(file.as_uri() + address)
        page.wait_for_selector("html[data-ready]")
        return page

    yield visit
    addresses = {page.url.partition("#")[0] for page in opened}
    for page in opened:
        page.context.close()
    assert said == []
    assert set(asked) <= addresses


def counted(page: Any) -> int:
    """How many traces the page says it shows."""
    text = page.locator("#count", has_text=re.compile(r"^[\d,]+ of ")).inner_text()
    return int(text.partition(" of ")[0].replace(",", ""))


def choose(page: Any, **choices: str) -> int:
    for name, label in choices.items():
        page.select_option(f"#{name}", label=label)
    return counted(page)


def selected(page: Any) -> str:
    return page.locator("#list [aria-selected=true] .under").inner_text()


def title(page: Any) -> str:
    return page.locator("#trace-title").inner_text()


def traces(run_folder: Path, stage: str) -> list[Trace]:
    [path] = [item.path for item in read_run(run_folder).stages if item.name == stage]
    return list(jsonl.read(path, Trace))


def test_it_opens_on_the_last_stage_that_was_measured(visit, report, run_folder):
    page = visit(report)
    assert counted(page) == len(traces(run_folder, "iter2")) == 40
    assert page.locator("#stage option:checked").inner_text() == "iter2"
    assert choose(page, stage="all") == 4 * 40 + 60
    assert page.locator(".no-script").count() == 0


def test_filters_count_what_python_counts(visit, report, run_folder):
    page = visit(report)
    for stage in ("base", "iter1 samples"):
        of = traces(run_folder, stage)
        assert choose(page, stage=stage) == len(of)
        assert choose(page, verdict="valid") == sum(t.all_steps_valid is True for t in of)
        assert choose(page, verdict="invalid") == sum(t.all_steps_valid is False for t in of)
        assert choose(page, verdict="correct but invalid") == sum(t.correct and not t.all_steps_valid for t in of) > 0
        assert choose(page, verdict="not decided") == 0
        choose(page, verdict="any")
        for reason in {step.reason for trace in of for step in trace.steps} - {None}:
            expected = sum(any(step.reason == reason for step in trace.steps) for trace in of)
            assert choose(page, reason=reason.replace("_", " ")) == expected > 0
        choose(page, reason="any")
        for answer in Answer:
            assert choose(page, label=str(answer)) == sum(t.label is answer for t in of)
            choose(page, label="any")
            assert choose(page, answer=str(answer)) == sum(t.final_answer is answer for t in of)
            choose(page, answer="any")
        assert choose(page, hops="3") == sum(t.hops == 3 for t in of) > 0
        assert choose(page, hops="3", label="TRUE") == sum(t.hops == 3 and t.label is Answer.TRUE for t in of)
        page.click("#clear")


def test_changes_between_two_stages_are_those_of_the_same_problems(visit, report, run_folder):
    before = {trace.problem_id: trace.all_steps_valid for trace in traces(run_folder, "base")}
    after = {trace.problem_id: trace.all_steps_valid for trace in traces(run_folder, "iter2")}
    page = visit(report)
    assert page.locator("#change").is_disabled()
    choose(page, stage="iter2", against="base")
    gained = sum(not before[name] and after[name] for name in before)
    lost = sum(before[name] and not after[name] for name in before)
    assert choose(page, change="became valid") == gained > 0
    assert choose(page, change="became invalid") == lost
    assert choose(page, change="same verdict") == len(before) - gained - lost > 0


def test_search_finds_ids_and_conclusions_and_inside_traces_everything(visit, report, run_folder):
    of = traces(run_folder, "iter2")
    page = visit(report)
    page.fill("#query", "EVAL-1")
    assert counted(page) == sum("eval-1" in trace.problem_id for trace in of)
    word = of[0].conclusion.rstrip(".").split()[-1]
    page.fill("#query", word)
    assert counted(page) == sum(word in trace.conclusion for trace in of)
    choose(page, stage="base")
    page.check("#deep")
    page.fill("#query", "antecedent of")
    messages = [[step.message or "" for step in trace.steps] for trace in traces(run_folder, "base")]
    assert counted(page) == sum(any("antecedent of" in text for text in of) for of in messages) > 0
    page.fill("#query", "no trace says this")
    assert counted(page) == 0


def test_the_keyboard_leads_through_the_list_into_a_trace_and_back(visit, report, run_folder):
    of = traces(run_folder, "iter2")
    page = visit(report)
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "query"
    page.keyboard.type("jk/")  # letters where something is typed
    assert page.input_value("#query") == "jk/"
    page.fill("#query", "")
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.id") == "list"
    assert selected(page).startswith(of[0].problem_id) and title(page) == of[0].problem_id
    for key in ("j", "ArrowDown", "j", "k"):
        page.keyboard.press(key)
    assert selected(page).startswith(f"{of[2].problem_id} ")
    page.keyboard.press("End")
    assert selected(page).startswith(of[-1].problem_id)
    page.keyboard.press("PageUp")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowUp")
    assert selected(page).startswith(f"{of[0].problem_id} ")
    page.keyboard.press("Enter")
    page.wait_for_selector("#trace-title:focus")
    page.keyboard.press("j")
    page.locator("#trace-title", has_text=of[1].problem_id).wait_for()
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.id") == "list"


def test_the_list_is_a_listbox_that_says_where_one_is(visit, report):
    page = visit(report)
    page.focus("#list")
    page.keyboard.press("j")
    active = page.get_attribute("#list", "aria-activedescendant")
    option = page.locator(f"#{active}")
    assert option.get_attribute("role") == "option" and option.get_attribute("aria-posinset") == "1"
    assert option.get_attribute("aria-setsize") == "40"
    outline = page.evaluate("getComputedStyle(document.getElementById('list')).outlineStyle")
    assert outline == "solid"  # whoever uses keys sees where they are


def test_a_trace_is_shown_with_every_verdict(visit, report, run_folder):
    trace = next(t for t in traces(run_folder, "base") if not t.all_steps_valid and len(t.steps) > 4)
    page = visit(report, f"#trace={trace.problem_id}&stage=base&sample=0")
    assert title(page) == trace.problem_id and selected(page).startswith(f"{trace.problem_id} · base")
    assert page.locator(".premises li").all_inner_texts() == [f"{i}\n{p}" for i, p in enumerate(trace.premises)]
    steps = page.locator(".step")
    assert steps.count() == len(trace.steps)
    for place, step in enumerate(trace.steps):
        shown = steps.nth(place)
        assert shown.locator(".thought").inner_text() == step.thought
        mark = shown.locator(".mark").get_attribute("aria-label")
        assert mark == ("valid" if step.solver_valid else "invalid")
        if not step.solver_valid:
            assert step.message in shown.locator(".reason").inner_text()
            assert step.explanation is None or step.explanation in shown.locator(".reason").inner_text()


def test_the_graph_has_a_node_for_each_line_and_an_edge_for_each_citation(visit, report, run_folder):
    trace = next(t for t in traces(run_folder, "base") if t.all_steps_valid and t.final_answer != "UNKNOWN")
    goal, count = goal_line(trace), len(trace.premises)
    page = visit(report, f"#trace={trace.problem_id}&stage=base")
    edges = {
        (int(edge.get_attribute("data-from")), int(edge.get_attribute("data-to")))
        for edge in page.locator(".graph .edge").all()
    }
    cited = {(arg, count + i) for i, step in enumerate(trace.steps[:-1]) for arg in step.option_args}
    assert edges == cited | {(goal, count + len(trace.steps) - 1)}
    lines = {int(node.get_attribute("data-line")) for node in page.locator(".graph .node").all()}
    assert lines == {line for edge in edges for line in edge} | {count + i for i in range(len(trace.steps))}
    page.hover(f'.graph .node[data-line="{goal}"]')
    first = trace.steps[goal - count].option_args[0]
    assert page.locator(f'.graph .node.cited[data-line="{first}"]').count() == 1
    assert page.locator(f'.premises .cited[data-line="{first}"], .step.cited[data-line="{first}"]').count() == 1


def test_what_the_conclusion_does_not_rest_on_is_grey(visit, tmp_path):
    premises = ("Tom is a cat.", "Every cat is a mammal.", "Mammals are not cold.", "Cats are small.")
    problem = Problem(problem_id="p", premises=premises, conclusion="Tom is cold.", label=Answer.FALSE)
    steps = [
        ("So Tom is small.", "MODUS_PONENS", [0, 3]),
        ("So Tom is a mammal.", "MODUS_PONENS", [0, 1]),
        ("So Tom is not cold.", "MODUS_PONENS", [5, 2]),
        ("The answer is FALSE.", "CONCLUDE", [1]),
    ]
    text = render([(thought, render_action(option, args)) for thought, option, args in steps], Answer.FALSE)
    trace = verify(build_trace(problem, text))
    assert trace.all_steps_valid and trace.unused_steps == 1
    jsonl.write(tmp_path / "traces.jsonl", [trace])
    page = visit(write_report(tmp_path), "#trace=p")
    assert [step.get_attribute("data-line") for step in page.locator(".step.unused").all()] == ["4"]
    assert {n.get_attribute("data-line") for n in page.locator(".graph .node.unused").all()} == {"3", "4"}
    assert page.locator(".edge.unused").count() == 2  # from lines 0 and 3 to line 4


def test_the_same_problem_stands_side_by_side_at_two_stages(visit, report, run_folder):
    page = visit(report, "#trace=eval-3&stage=iter2&beside=base")
    heads = page.locator(".side h4").all_inner_texts()
    assert ["base" in heads[0], "iter2" in heads[1], len(heads)] == [True, True, 2]
    lengths = [len(traces(run_folder, stage)[3].steps) for stage in ("base", "iter2")]
    assert [side.locator(".step").count() for side in page.locator(".side").all()] == lengths
    boxes = [side.bounding_box() for side in page.locator(".side").all()]
    assert boxes[0]["y"] == boxes[1]["y"] and boxes[0]["x"] < boxes[1]["x"]
    choose(page, against="nothing")
    page.wait_for_selector(".sides:not(.two)")
    assert page.locator(".side").count() == 1


def test_the_address_follows_the_reader_and_leads_back(visit, report):
    page = visit(report)
    choose(page, stage="iter1 samples")
    page.locator(".row").nth(4).click()
    page.locator("#trace-title").wait_for()
    address = page.url.partition("#")[2]
    shown = page.locator("#trace").inner_text()
    assert "trace=train-1" in address and "stage=iter1+samples" in address and "sample=1" in address
    again = visit(report, f"#{address}")
    assert again.locator("#trace").inner_text() == shown
    again.evaluate("location.hash = '#trace=eval-2&stage=sft'")
    again.locator("#trace-title", has_text="eval-2").wait_for()
    assert visit(report, "#trace=nowhere").locator(".empty").count() == 1


def test_a_figure_of_the_failures_opens_its_traces(visit, report, run_folder):
    page = visit(report)
    button = page.locator("#failures button").first
    stage, reason = button.get_attribute("data-stage"), button.get_attribute("data-reason")
    assert int(button.inner_text()) == sum(s.reason == reason for t in traces(run_folder, stage) for s in t.steps)
    button.click()
    page.locator(".step.bad").first.wait_for()
    assert counted(page) == sum(any(s.reason == reason for s in t.steps) for t in traces(run_folder, stage))


def test_dark_and_light_follow_the_system_and_then_the_reader(visit, report):
    paper = "getComputedStyle(document.body).backgroundColor"
    light, dark = visit(report, color_scheme="light"), visit(report, color_scheme="dark")
    colours = light.evaluate(paper), dark.evaluate(paper)
    assert colours[0] != colours[1]
    light.click("#theme")
    dark.click("#theme")
    assert (dark.evaluate(paper), light.evaluate(paper)) == colours
    dark.emulate_media(media="print")
    assert dark.evaluate(paper) == "rgb(255, 255, 255)" and not dark.locator("#list").is_visible()


@pytest.mark.parametrize("address", ["", "#trace=eval-3&stage=iter2&beside=base"])
def test_on_a_phone_nothing_sticks_out(visit, report, address):
    page = visit(report, address, viewport={"width": 360, "height": 740}, has_touch=True)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    page.locator(".row").nth(2).tap()
    page.locator(".step").first.wait_for()
    assert page.locator("#trace-title").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_text_of_traces_stays_text(visit, tmp_path):
    step = Step(
        step_idx=0, thought=EVIL, action=EVIL, option_type="", option_args=(), solver_valid=False, claim=EVIL,
        reason="unreadable_action", message=EVIL, explanation=EVIL,
    )  # fmt: skip
    trace = Trace(
        problem_id=EVIL, premises=(EVIL,), conclusion=EVIL, label=Answer.TRUE, final_answer=None, correct=False,
        num_steps=1, steps=[step], all_steps_valid=False, invalid_reason=EVIL, model=EVIL, premises_fol=(f"{EVIL} ",),
        conclusion_fol=f"{EVIL} ", kernel=EVIL,
    )  # fmt: skip
    folder = tmp_path / "run" / "evaluation" / "<img src=x onerror=alert(1)>"
    jsonl.write(folder / "traces.jsonl", [trace])
    page = visit(write_report(tmp_path / "run"))
    page.focus("#list")
    page.keyboard.press("j")
    page.locator(".step").wait_for()
    assert page.locator("#trace-title").text_content() == EVIL
    assert page.locator(".thought").text_content() == EVIL
    assert page.locator(".row .conclusion").text_content() == EVIL
    assert page.locator("img, .step b b, .thought b").count() == 0 and page.title() != "owned"
    page.reload()
    page.wait_for_selector("html[data-ready]")
    assert page.locator("#trace-title").text_content() == EVIL  # by its address


def test_a_folder_of_traces_that_are_not_verified_can_be_read(visit, tmp_path, run_folder):
    of = traces(run_folder, "sft")
    for trace in of:
        trace.all_steps_valid = None
        for step in trace.steps:
            step.solver_valid = None
    jsonl.write(tmp_path / "traces.jsonl", of)
    page = visit(write_report(tmp_path))
    assert choose(page, verdict="not decided") == len(of)
    page.focus("#list")
    page.keyboard.press("j")
    assert page.locator(".step .mark").first.get_attribute("aria-label") == "not decided"


def test_thirty_thousand_traces_are_listed_by_their_visible_rows(visit, tmp_path):
    count = make_run(tmp_path / "run", evaluated=3750, sampled=3750, samples=4, distinct=100)
    assert count == 30_000
    page = visit(write_report(tmp_path / "run"))
    shutil.rmtree(tmp_path / "run" / "evaluation")
    assert choose(page, stage="all") == 30_000
    assert page.locator(".row").count() < 60
    page.focus("#list")
    page.keyboard.press("End")
    page.locator("#trace-title", has_text="train-3749").wait_for()
    assert page.locator("#list [aria-selected=true]").get_attribute("aria-posinset") == "30000"
    assert page.locator(".row").count() < 60
    assert choose(page, stage="iter2") == 3750
    rows = json.loads((tmp_path / "run" / "results.json").read_text())
    assert choose(page, verdict="valid") == round(3750 * rows[3]["trace_validity"]["value"])
