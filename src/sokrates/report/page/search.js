// Search inside traces: every piece is unpacked once for a query, and read only where its text has the words at all.

import { loadPieceText, tracesOf } from "./store.js";

/** Which traces say the query in a premise, the conclusion or a step: one byte each, or null once `isStale()`. */
export async function searchTraces(index, query, isStale, onProgress) {
  const mentioned = new Uint8Array(index.count);
  const written = JSON.stringify(query).slice(1, -1);
  let problem = 0;
  for (let piece = 0; piece < index.pieces; piece += 1) {
    const text = await loadPieceText(piece);
    if (isStale()) return null;
    const first = problem;
    while (problem < index.problems && index.piece[problem] === piece) problem += 1;
    if (text.toLowerCase().includes(written)) markAll(index, JSON.parse(text), first, query, mentioned);
    onProgress((piece + 1) / index.pieces);
  }
  return mentioned;
}

function markAll(index, problems, first, query, mentioned) {
  problems.forEach((problem, offset) => {
    const stated = [problem.id, problem.conclusion, ...problem.premises, ...problem.formulas, problem.conclusionFormula];
    const everywhere = has(stated, query);
    tracesOf(index, first + offset).forEach((trace, place) => {
      mentioned[trace] = everywhere || says(problem.traces[place], query) ? 1 : 0;
    });
  });
}

function says(trace, query) {
  const steps = trace.steps.flatMap((step) => [step.thought, step.action, step.formula, step.claim, step.message, step.explanation]);
  return has([trace.text, trace.why, ...steps], query);
}

function has(texts, query) {
  return texts.some((text) => text && text.toLowerCase().includes(query));
}
