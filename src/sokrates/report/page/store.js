// The data of the page: the index, unpacked at the start, and the pieces, unpacked when a trace in them is wanted.
// `report/explorer.py` writes both.

import { byId } from "./dom.js";

export const VALID = 1;
export const UNDECIDED = 2;
export const CORRECT = 4;

const KEPT = 12;

/** Unpacked pieces by number, the latest last. */
const unpacked = new Map();

/** What an element with compressed data says, as text. */
async function unpack(id) {
  const bytes = Uint8Array.from(atob(byId(id).textContent), (letter) => letter.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
}

/** The index: the stages, answers and reasons that its numbers stand for, and its columns as typed arrays. */
export async function loadIndex() {
  const { stages, answers, reasons, columns } = JSON.parse(await unpack("index"));
  const { problem_id: ids, conclusion: conclusions, ...numbers } = columns;
  const index = { stages, answers, reasonNames: reasons, ids, conclusions };
  for (const [name, column] of Object.entries(numbers)) index[name] = Int32Array.from(column);
  index.searchable = ids.map((id, problem) => `${id} ${conclusions[problem]}`.toLowerCase());
  index.count = index.stage.length;
  index.problems = ids.length;
  index.problem = problemOfEach(index);
  index.pieces = index.problems ? index.piece[index.problems - 1] + 1 : 0;
  return index;
}

function problemOfEach({ first, problems, count }) {
  const problem = new Int32Array(count);
  for (let p = 0; p < problems; p += 1) problem.fill(p, first[p], p + 1 < problems ? first[p + 1] : count);
  return problem;
}

/** The problems of a piece, with their traces. */
export async function loadPiece(number) {
  const kept = unpacked.get(number);
  unpacked.delete(number);
  unpacked.set(number, kept ?? unpack(`piece-${number}`).then(JSON.parse));
  if (unpacked.size > KEPT) unpacked.delete(unpacked.keys().next().value);
  return unpacked.get(number);
}

/** The text of a piece, for search; it is not kept. */
export function loadPieceText(number) {
  return unpack(`piece-${number}`);
}

/** A trace and its problem, by the trace's number in the index. */
export async function loadTrace(index, number) {
  const problem = index.problem[number];
  const problems = await loadPiece(index.piece[problem]);
  const firstOfPiece = index.piece.indexOf(index.piece[problem]);
  const found = problems[problem - firstOfPiece];
  return { problem: found, trace: found.traces[number - index.first[problem]] };
}

/** The traces of one problem, as numbers of the index. */
export function tracesOf(index, problem) {
  const end = problem + 1 < index.problems ? index.first[problem + 1] : index.count;
  return Array.from({ length: end - index.first[problem] }, (_, offset) => index.first[problem] + offset);
}

/** The trace of the same problem and sample at another stage, else its first there; -1 where there is none. */
export function counterpart(index, number, stage) {
  const there = tracesOf(index, index.problem[number]).filter((other) => index.stage[other] === stage);
  return there.find((other) => index.sample[other] === index.sample[number]) ?? there[0] ?? -1;
}
