// A proof as a graph: the premises it cites on the left, its lines in their order on the right, and an arrow from each
// line to those that cite it. What the conclusion does not rest on is grey, what is invalid is marked.

import { svg } from "./dom.js";
import { words } from "./filters.js";

const ROW = 42;
const BOX = 33;
const LETTER = 6.1;
const NUMBER = 24;
const ARCS = 44;

/** Where the boxes stand in a graph of some width: premises on the left, steps on the right, arcs beyond them. */
function columns(width) {
  const left = { x: 2, width: 0.4 * (width - ARCS) };
  const x = left.width + 0.1 * (width - ARCS);
  return { left, right: { x, width: width - ARCS - x } };
}

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

/** The drawing, `width` pixels wide where there is room for it. */
export function proofGraph(problem, trace, width) {
  const { left, right } = columns(width);
  const count = problem.premises.length;
  const used = usedLines(trace, count);
  const nodes = new Map();
  const edges = [];
  let nextLeft = 0;
  trace.steps.forEach((step, place) => {
    const line = count + place;
    const grey = used !== null && step.option !== "CONCLUDE" && !used.has(line);
    nodes.set(line, { line, side: right, row: place, text: said(step), kind: kindOf(step, grey) });
    for (const cited of citedLines(trace, step)) {
      const isStep = cited >= count && cited < line;
      if (!isStep && !nodes.has(cited)) {
        nextLeft = Math.max(nextLeft, place);
        nodes.set(cited, { ...outside(problem, cited, used), side: left, row: nextLeft });
        nextLeft += 1;
      }
      edges.push({ from: cited, to: line, bad: step.valid === false });
    }
  });
  const rows = Math.max(...[...nodes.values()].map((node) => node.row + 1), 1);
  const drawn = edges.map((edge) => arrow(nodes.get(edge.from), nodes.get(edge.to), edge.bad));
  const boxes = [...nodes.values()].sort((a, b) => a.line - b.line).map(box);
  const label = `Graph of the proof: ${trace.steps.length} steps over ${nodes.size - trace.steps.length} cited premises`;
  return svg(
    "svg",
    { viewBox: `0 0 ${width} ${rows * ROW + 2}`, width, class: "graph", role: "group", "aria-label": label },
    ...drawn,
    ...boxes,
  );
}

/** A line that is no step before: a premise, or a number under which nothing stands. */
function outside(problem, line, used) {
  const premise = problem.premises[line];
  const kind = premise === undefined ? "bad missing" : used !== null && !used.has(line) ? "premise unused" : "premise";
  return { line, text: premise ?? "no such line yet", kind };
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
  const lines = wrapped(node.text, Math.floor((width - NUMBER - 8) / LETTER));
  const middle = y + BOX / 2 + 4;
  return svg(
    "g",
    { class: `node ${node.kind}`, tabindex: "0", "data-line": `${node.line}`, role: "img", "aria-label": `line ${node.line}: ${node.text}` },
    svg("title", {}, `[${node.line}] ${node.text}`),
    svg("rect", { x, y, width, height: BOX, rx: 4 }),
    svg("text", { x: x + 6, y: middle, class: "number" }, `${node.line}`),
    lines.map((line, place) => svg("text", { x: x + NUMBER, y: middle + 12 * (place - (lines.length - 1) / 2) }, line)),
  );
}

/** A text in at most two lines of so many letters, broken at a blank where there is one. */
function wrapped(text, letters) {
  if (text.length <= letters) return [text];
  const blank = text.lastIndexOf(" ", letters);
  const end = blank > letters / 3 ? blank : letters;
  const rest = text.slice(end).trim();
  return [text.slice(0, end), rest.length > letters ? `${rest.slice(0, letters - 1)}…` : rest];
}

/** From a premise straight over; between steps in an arc on the right, wider the further apart they are. */
function arrow(from, to, bad) {
  const start = from.row * ROW + 4 + BOX / 2;
  const end = to.row * ROW + 4 + BOX / 2;
  const near = to.side.x;
  const far = to.side.x + to.side.width;
  const bulge = far + 8 + Math.min(ARCS - 8, 8 * Math.abs(to.row - from.row));
  const gap = near - (from.side.x + from.side.width);
  const path =
    from.side.x < near
      ? `M${near - gap} ${start}C${near - gap / 3} ${start} ${near - (2 * gap) / 3} ${end} ${near} ${end}`
      : `M${far} ${start + 4}C${bulge} ${start + 4} ${bulge} ${end - 4} ${far} ${end - 4}`;
  const faint = from.kind.includes("unused") || to.kind.includes("unused");
  const kind = `edge${bad ? " bad" : ""}${faint ? " unused" : ""}`;
  return svg("path", { d: path, class: kind, "data-from": `${from.line}`, "data-to": `${to.line}` });
}
