// Which traces are shown: the choices of the form, and the numbers of the traces that fit them.

import { byId, element } from "./dom.js";
import { CORRECT, UNDECIDED, VALID, counterpart } from "./store.js";

const CHOICES = ["stage", "against", "change", "verdict", "reason", "label", "answer", "hops"];

/** Fill the form's choices with what the index holds. */
export function prepareFilters(index) {
  const stages = index.stages.map((stage, place) => [place, stage.name]);
  const given = index.reasons.reduce((all, some) => all | some, 0);
  const used = index.reasonNames.map((name, bit) => [bit, words(name)]).filter(([bit]) => given & (1 << bit));
  offer("stage", [["", "all"], ...stages]);
  offer("against", [["", "nothing"], ...stages]);
  offer("reason", [["", "any"], ...used]);
  for (const id of ["label", "answer"]) offer(id, [["", "any"], ...index.answers.map((a, i) => [i, a]), [-1, "none"]]);
  const hops = [...new Set(index.hops)].sort((a, b) => a - b);
  offer("hops", [["", "any"], ...hops.map((count) => [count, count < 0 ? "not known" : count])]);
}

function offer(id, choices) {
  byId(id).replaceChildren(...choices.map(([value, name]) => element("option", { value: `${value}` }, `${name}`)));
}

export function words(name) {
  return name.replaceAll("_", " ");
}

/** What is chosen: numbers, or null for any. */
export function choices() {
  const chosen = Object.fromEntries(CHOICES.map((id) => [id, byId(id).value]));
  const number = (id) => (chosen[id] === "" ? null : Number(chosen[id]));
  return {
    ...chosen,
    stage: number("stage"),
    against: number("against"),
    reason: number("reason"),
    label: number("label"),
    answer: number("answer"),
    hops: number("hops"),
    query: byId("query").value.trim().toLowerCase(),
  };
}

/** Choose by id; what is not named stays. */
export function choose(values) {
  for (const [id, value] of Object.entries(values)) byId(id).value = value === null ? "" : `${value}`;
}

/** The numbers of the traces that fit; `mentioned` says which mention the query inside, where that was searched. */
export function fitting(index, chosen, mentioned) {
  const named = chosen.query && !mentioned ? namedProblems(index, chosen.query) : null;
  const found = [];
  for (let trace = 0; trace < index.count; trace += 1) {
    const problem = index.problem[trace];
    if (chosen.stage !== null && index.stage[trace] !== chosen.stage) continue;
    if (chosen.label !== null && index.label[problem] !== chosen.label) continue;
    if (chosen.answer !== null && index.answer[trace] !== chosen.answer) continue;
    if (chosen.hops !== null && index.hops[problem] !== chosen.hops) continue;
    if (chosen.reason !== null && !(index.reasons[trace] & (1 << chosen.reason))) continue;
    if (chosen.verdict && !hasVerdict(index.flags[trace], chosen.verdict)) continue;
    if (named && !named[problem]) continue;
    if (mentioned && !mentioned[trace]) continue;
    if (chosen.change && chosen.against !== null && change(index, trace, chosen.against) !== chosen.change) continue;
    found.push(trace);
  }
  return found;
}

function namedProblems(index, query) {
  return index.searchable.map((text) => text.includes(query));
}

function hasVerdict(flags, wanted) {
  if (wanted === "valid") return (flags & VALID) !== 0;
  if (wanted === "undecided") return (flags & UNDECIDED) !== 0;
  if (flags & (VALID | UNDECIDED)) return false;
  return wanted === "invalid" || (flags & CORRECT) !== 0;
}

/** What became of a verdict from another stage to the trace's own; "" where the problem was not asked there. */
export function change(index, trace, before) {
  if (index.stage[trace] === before) return "";
  const other = counterpart(index, trace, before);
  if (other < 0) return "";
  const was = index.flags[other] & VALID;
  const is = index.flags[trace] & VALID;
  if (was === is) return "same";
  return is ? "gained" : "lost";
}
