// The list of traces: only the rows that can be seen are in the document, so its length costs nothing.

import { byId, element } from "./dom.js";
import { CORRECT, UNDECIDED, VALID } from "./store.js";

const BEYOND = 6;

/** A listbox over numbers of the index; `onSelect(trace, pointed)` hears what is chosen, and whether it was pointed at. */
export class TraceList {
  constructor(index, onSelect) {
    this.index = index;
    this.onSelect = onSelect;
    this.traces = [];
    this.at = -1;
    this.box = byId("list");
    this.rows = byId("rows");
    this.height = parseFloat(getComputedStyle(this.box).getPropertyValue("--row"));
    this.box.addEventListener("scroll", () => this.draw(), { passive: true });
    this.rows.addEventListener("click", (event) => this.clicked(event));
    new ResizeObserver(() => this.draw()).observe(this.box);
  }

  /** Show other traces; the selected one stays selected where it is among them. */
  show(traces, selected) {
    this.traces = traces;
    this.at = traces.indexOf(selected);
    this.rows.style.height = `${traces.length * this.height}px`;
    this.box.scrollTop = 0;
    this.reveal();
    this.draw();
  }

  /** Select by the place in the list, and say so. */
  select(place, pointed = false) {
    if (!this.traces.length) return;
    this.at = Math.max(0, Math.min(place, this.traces.length - 1));
    this.reveal();
    this.draw();
    this.onSelect(this.traces[this.at], pointed);
  }

  move(by) {
    this.select(this.at < 0 ? 0 : this.at + by);
  }

  /** How many rows can be seen at once. */
  get page() {
    return Math.max(1, Math.floor(this.box.clientHeight / this.height));
  }

  reveal() {
    const top = this.at * this.height;
    if (this.at < 0) return;
    if (top < this.box.scrollTop) this.box.scrollTop = top;
    const over = top + this.height - this.box.clientHeight;
    if (over > this.box.scrollTop) this.box.scrollTop = over;
  }

  draw() {
    const first = Math.max(0, Math.floor(this.box.scrollTop / this.height) - BEYOND);
    const last = Math.min(this.traces.length, first + this.page + 2 * BEYOND);
    const rows = [];
    for (let place = first; place < last; place += 1) rows.push(this.row(place));
    this.rows.replaceChildren(...rows);
    const shown = this.at >= first && this.at < last;
    if (shown) this.box.setAttribute("aria-activedescendant", `row-${this.at}`);
    else this.box.removeAttribute("aria-activedescendant");
  }

  row(place) {
    const { index } = this;
    const trace = this.traces[place];
    const problem = index.problem[trace];
    const answer = index.answers[index.answer[trace]] ?? "no answer";
    const sample = index.sample[trace] ? ` · sample ${index.sample[trace]}` : "";
    const steps = `${index.valid_steps[trace]}/${index.steps[trace]}`;
    const node = element(
      "div",
      {
        id: `row-${place}`,
        class: "row",
        role: "option",
        "aria-selected": place === this.at ? "true" : "false",
        "aria-setsize": `${this.traces.length}`,
        "aria-posinset": `${place + 1}`,
        "data-place": `${place}`,
      },
      verdictMark(index.flags[trace]),
      element("span", { class: "conclusion" }, index.conclusions[problem]),
      element("span", { class: "answer" }, answer),
      element("span", { class: "under" }, `${index.ids[problem]} · ${index.stages[index.stage[trace]].name}${sample}`),
      element("span", { class: "steps", title: "valid steps of all" }, steps),
    );
    node.style.top = `${place * this.height}px`;
    return node;
  }

  clicked(event) {
    const row = event.target.closest(".row");
    if (row) this.select(Number(row.dataset.place), true);
  }
}

/** A mark for a trace's verdict, with its name for those who do not see it. */
export function verdictMark(flags) {
  const [name, sign, kind] = verdictName(flags);
  return element("span", { class: `mark ${kind}`, role: "img", "aria-label": name, title: name }, sign);
}

function verdictName(flags) {
  if (flags & VALID) return ["valid", "✓", "good"];
  if (flags & UNDECIDED) return ["not decided", "?", "open"];
  if (flags & CORRECT) return ["correct but invalid", "≈", "bad"];
  return ["invalid", "✗", "bad"];
}
