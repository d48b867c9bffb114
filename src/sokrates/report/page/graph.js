// A proof as a graph: the premises it cites on the left, its lines in their order on the right, and an arrow from each
// line to those that cite it. What the conclusion does not rest on is grey, what is invalid is marked.

import { svg } from "./dom.js";
import { words } from "./filters.js";

const WIDTH = 560;
const ROW = 40;
const BOX = 28;
const LEFT = { x: 4, width: 196 };
const RIGHT = { x: 244, width: 256 };
const SIGNS = 30;

/** The lines that the conclusion rests on; null where nothing proves it, or it rests on no line. */
export function usedLines(trace, premises) {
  if (trace.goal === null) return null;
  const used = new Set();
  const open = [trace.goal];
  while (open.length) {
    const line = open.pop();
    if (used.has(line)) continue;
    used.add(line);
    if (line >= premises) open.push(...trace.steps[line - premises].args);
  }
  return used;
}

/** The lines that a step cites: of CONCLUDE, whose argument is an answer, the line that proves it. */
export function citedLines(trace, step) {
  if (step.option !== "CONCLUDE") return [...new Set(step.args ?? [])];
  return trace.goal === null || !step.valid ? [] : [trace.goal];
}

export function proofGraph(problem, trace) {
  const count = problem.premises.length;
  const used = usedLines(trace, count);
  const nodes = new Map();
  const edges = [];
  let nextLeft = 0;
  trace.steps.forEach((step, place) => {
    const line = count + place;
    const grey = used !== null && step.option !== "CONCLUDE" && !used.has(line);
    nodes.set(line, { line, side: RIGHT, row: place, text: said(step), kind: kindOf(step, grey) });
    for (const cited of citedLines(trace, step)) {
      const isStep = cited >= count && cited < line;
      if (!isStep && !nodes.has(cited)) {
        nextLeft = Math.max(nextLeft, place);
        nodes.set(cited, outside(problem, cited, nextLeft, used));
        nextLeft += 1;
      }
      edges.push({ from: cited, to: line, bad: step.valid === false });
    }
  });
  const rows = Math.max(...[...nodes.values()].map((node) => node.row + 1), 1);
  const drawn = edges.map((edge) => arrow(nodes.get(edge.from), nodes.get(edge.to), edge));
  const boxes = [...nodes.values()].sort((a, b) => a.line - b.line).map(box);
  const label = `Graph of the proof: ${trace.steps.length} steps over ${nodes.size - trace.steps.length} cited premises`;
  return svg(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${rows * ROW + 4}`, class: "graph", role: "group", "aria-label": label },
    ...drawn,
    ...boxes,
  );
}

/** A line that is no step before: a premise, or a number under which nothing stands. */
function outside(problem, line, row, used) {
  const premise = problem.premises[line];
  const kind = premise === undefined ? "bad missing" : used !== null && !used.has(line) ? "premise unused" : "premise";
  return { line, side: LEFT, row, text: premise ?? "no such line yet", kind };
}

function said(step) {
  if (step.option === "CONCLUDE") return `answer: ${["TRUE", "FALSE", "UNKNOWN"][step.args[0]] ?? "none"}`;
  return step.formula ?? step.claim ?? words(step.option || "unreadable action");
}

function kindOf(step, grey) {
  const kind = step.valid === true ? "good" : step.valid === false ? "bad" : "open";
  return grey ? `${kind} unused` : kind;
}

function box(node) {
  const { x, width } = node.side;
  const y = node.row * ROW + 4;
  const letters = Math.floor((width - SIGNS - 6) / 7.3);
  const text = node.text.length > letters ? `${node.text.slice(0, letters - 1)}…` : node.text;
  return svg(
    "g",
    { class: `node ${node.kind}`, tabindex: "0", "data-line": `${node.line}`, role: "img", "aria-label": `line ${node.line}: ${node.text}` },
    svg("title", {}, `[${node.line}] ${node.text}`),
    svg("rect", { x, y, width, height: BOX, rx: 4 }),
    svg("text", { x: x + 8, y: y + 18, class: "number" }, `${node.line}`),
    svg("text", { x: x + SIGNS + 4, y: y + 18 }, text),
  );
}

/** From the left straight over; between lines in an arc on the right, wider the further apart they are. */
function arrow(from, to, { from: source, to: target, bad }) {
  const start = from.row * ROW + 4 + BOX / 2;
  const end = to.row * ROW + 4 + BOX / 2;
  const edge = RIGHT.x + RIGHT.width;
  const bulge = edge + 10 + Math.min(44, 9 * Math.abs(to.row - from.row));
  const path =
    from.side === LEFT
      ? `M${LEFT.x + LEFT.width} ${start}C${RIGHT.x - 12} ${start} ${RIGHT.x - 32} ${end} ${RIGHT.x} ${end}`
      : `M${edge} ${start + 4}C${bulge} ${start + 4} ${bulge} ${end - 4} ${edge} ${end - 4}`;
  const faint = from.kind.includes("unused") || to.kind.includes("unused");
  const kind = `edge${bad ? " bad" : ""}${faint ? " unused" : ""}`;
  return svg("path", { d: path, class: kind, "data-from": `${source}`, "data-to": `${target}` });
}
