// One trace to be read: its problem, its steps with their verdicts, its graph; beside it the same problem elsewhere.

import { element } from "./dom.js";
import { words } from "./filters.js";
import { citedLines, proofGraph, usedLines } from "./graph.js";
import { verdictMark } from "./list.js";

/** What a trace's panel holds. Each of `sides` is { problem, trace, flags, stage, answer }, the last the chosen one;
 *  their graphs are drawn `width` pixels wide. */
export function traceView(sides, facts, width) {
  const [{ problem }] = sides;
  return [
    element("h3", { id: "trace-title", tabindex: "-1" }, problem.id),
    element("p", { class: "goal" }, element("b", {}, "Conclusion: "), withFormula(problem.conclusion, problem.conclusionFormula)),
    element("p", { class: "facts-line" }, facts),
    premises(problem),
    element("div", { class: sides.length > 1 ? "sides two" : "sides" }, ...sides.map((one) => side(one, width))),
  ];
}

function premises(problem) {
  const lines = problem.premises.map((premise, line) =>
    element("li", { "data-line": `${line}` }, number(line), element("span", {}, withFormula(premise, problem.formulas[line]))),
  );
  return element("ol", { class: "premises", "aria-label": "Premises" }, ...lines);
}

function withFormula(sentence, formula) {
  return formula && formula !== sentence ? [sentence, " ", element("code", {}, formula)] : [sentence];
}

function number(line) {
  return element("span", { class: "number" }, `${line}`);
}

function side({ problem, trace, flags, stage, answer }, width) {
  const used = usedLines(trace, problem.premises.length);
  const head = element("h4", {}, verdictMark(flags), ` ${stage} `, element("span", { class: "answer" }, answer ?? "no answer"));
  const steps = trace.steps.map((step, place) => stepView(problem, trace, step, place, used));
  const unread = trace.text ? element("pre", {}, trace.text) : null;
  const graph = trace.steps.length ? element("div", { class: "graph-box" }, proofGraph(problem, trace, width)) : null;
  return element(
    "section",
    { class: "side", "aria-label": stage },
    head,
    element("p", { class: "why" }, traceWords(trace, flags)),
    element("div", { class: "proof" }, element("ol", { class: "steps-list" }, ...steps), graph),
    unread,
  );
}

/** The verdict on the whole as a sentence, and what else was counted. */
function traceWords(trace, flags) {
  const said = [flags & 1 ? "Valid as a whole" : `Not valid: ${trace.why ?? "it was not verified"}`];
  if (trace.unused) said.push(`${trace.unused} unused`);
  if (trace.repeated) said.push(`${trace.repeated} repeated`);
  if (trace.misquotes) said.push(`${trace.misquotes} misquoted`);
  if (trace.finish === "length") said.push("cut off by the token limit");
  if (trace.tokens) said.push(`${trace.tokens} tokens`);
  return said.join(" · ");
}

function stepView(problem, trace, step, place, used) {
  const line = problem.premises.length + place;
  const grey = used !== null && step.option !== "CONCLUDE" && !used.has(line);
  const kind = step.valid === true ? "good" : step.valid === false ? "bad" : "open";
  const name = { good: "valid", bad: "invalid", open: "not decided" }[kind];
  const mark = element("span", { class: `mark ${kind}`, role: "img", "aria-label": name, title: name }, { good: "✓", bad: "✗", open: "?" }[kind]);
  return element(
    "li",
    { class: `step ${kind}${grey ? " unused" : ""}`, "data-line": `${line}`, "data-cites": citedLines(trace, step).join(" "), tabindex: "0" },
    element("span", { class: "gutter" }, number(line), mark),
    element(
      "div",
      { class: "said" },
      element("p", { class: "thought" }, step.thought || "(no thought)"),
      action(step),
      reason(step),
      grey ? element("p", { class: "aside" }, "The conclusion does not rest on this line.") : null,
    ),
  );
}

/** The rule and its lines, and what they give or were meant to give; an action that cannot be read as it is written. */
function action(step) {
  const said = step.option ? `${step.option} [${step.args.join(", ")}]` : step.action || "(no action)";
  const formula = step.formula ?? step.claim;
  const follows = { true: "follows from all premises", false: "does not follow from the premises" }[step.entailed];
  return element(
    "p",
    { class: "action", title: step.action ?? "" },
    element("code", { class: "rule" }, said),
    formula ? element("span", { class: "aside" }, step.formula ? " gives " : " for ") : null,
    formula ? element("code", { class: "formula" }, formula) : null,
    step.valid === false && follows ? element("span", { class: "aside" }, ` · ${follows}`) : null,
  );
}

function reason(step) {
  if (step.valid === true || (!step.reason && !step.message)) return null;
  return element(
    "div",
    { class: "reason" },
    element("p", {}, element("b", {}, words(step.reason ?? "not decided")), step.message ? `: ${step.message}` : ""),
    step.explanation ? element("p", { class: "aside" }, step.explanation) : null,
    step.published ? element("p", { class: "aside" }, "The published rule accepts this step.") : null,
  );
}

/** Mark the lines that the line under the pointer or focus cites, within its side and among the premises. */
export function followCitations(panel) {
  const marked = () => panel.querySelectorAll(".cited, .current");
  const leave = () => marked().forEach((node) => node.classList.remove("cited", "current"));
  const enter = (event) => {
    leave();
    const node = event.target.closest("[data-line]");
    if (!node) return;
    const within = node.closest(".side") ?? panel;
    const line = node.dataset.line;
    const step = within.querySelector(`.step[data-line="${line}"]`);
    const cited = new Set(step ? step.dataset.cites.split(" ") : []);
    for (const other of panel.querySelectorAll("[data-line]")) {
      const near = within.contains(other) || other.closest(".premises");
      if (near && other.dataset.line === line) other.classList.add("current");
      if (near && cited.has(other.dataset.line)) other.classList.add("cited");
    }
    for (const edge of within.querySelectorAll(`.edge[data-to="${line}"]`)) edge.classList.add("cited");
  };
  panel.addEventListener("pointerover", enter);
  panel.addEventListener("focusin", enter);
  panel.addEventListener("pointerleave", leave);
}
