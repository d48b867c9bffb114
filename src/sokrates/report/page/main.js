// The explorer: the form, the list and the trace that is read, and the keys that lead through them.

import { byId } from "./dom.js";
import { choices, choose, fitting, prepareFilters } from "./filters.js";
import { readAddress, writeAddress } from "./hash.js";
import { TraceList } from "./list.js";
import { searchTraces } from "./search.js";
import { counterpart, loadIndex, loadTrace } from "./store.js";
import { prepareTheme } from "./theme.js";
import { followCitations, traceView } from "./trace.js";

class Explorer {
  constructor(index) {
    this.index = index;
    this.selected = -1;
    this.searches = 0;
    this.panel = byId("trace");
    this.opening = null;
    this.list = new TraceList(index, (trace, pointed) => {
      this.opening = this.open(trace).then(() => pointed && this.bringIntoView());
    });
    followCitations(this.panel);
  }

  /** What the form starts with: the last stage that was measured. */
  start() {
    const measured = this.index.stages.map((stage, place) => (stage.sampled ? -1 : place));
    choose({ stage: Math.max(0, ...measured) });
  }

  /** Bring the list up to the form. */
  async filter() {
    const chosen = choices();
    byId("change").disabled = chosen.against === null;
    const search = (this.searches += 1);
    let mentioned = null;
    if (chosen.query && byId("deep").checked) {
      const stale = () => search !== this.searches;
      // At once: until the first piece has been read the count of the search before would stand there as this one's.
      this.say("searching");
      mentioned = await searchTraces(this.index, chosen.query, stale, (share) => this.say(`searching, ${Math.round(100 * share)}%`));
      if (mentioned === null) return;
    }
    const found = fitting(this.index, chosen, mentioned);
    this.list.show(found, this.selected);
    this.say(`${found.length.toLocaleString("en")} of ${this.index.count.toLocaleString("en")} traces`);
  }

  say(text) {
    byId("count").textContent = text;
  }

  /** Show a trace, with the one it is compared with. */
  async open(number) {
    this.selected = number;
    const { against } = choices();
    writeAddress(this.index, number, against);
    const other = against === null || against === this.index.stage[number] ? -1 : counterpart(this.index, number, against);
    const sides = await Promise.all((other < 0 ? [number] : [other, number]).map((trace) => this.side(trace)));
    if (this.selected !== number) return;
    this.panel.replaceChildren(...traceView(sides, this.facts(number), this.graphWidth(sides.length)));
    this.panel.scrollTop = 0;
  }

  async side(number) {
    const { index } = this;
    const sample = index.sample[number] ? `, sample ${index.sample[number]}` : "";
    const stage = `${index.stages[index.stage[number]].name}${sample}`;
    return { ...(await loadTrace(index, number)), flags: index.flags[number], stage, answer: index.answers[index.answer[number]] };
  }

  /** Where the trace stands below the list, go down to it. */
  bringIntoView() {
    if (this.panel.offsetTop > this.list.box.offsetTop) this.panel.scrollIntoView({ block: "start" });
  }

  /** How wide a graph can be: half of the panel where two things stand in it side by side. */
  graphWidth(sides) {
    const width = this.panel.clientWidth;
    const half = width >= 640 && (sides > 1 || width >= 720);
    return Math.max(290, Math.min(520, half ? width / 2 - 24 : width - 8));
  }

  facts(number) {
    const { index } = this;
    const problem = index.problem[number];
    const count = index.hops[problem];
    const hops = count < 0 ? "" : ` · ${count} ${count === 1 ? "hop" : "hops"}`;
    return `label ${index.answers[index.label[problem]] ?? "none"}${hops}`;
  }

  /** Go to the trace that the address names; whether it names one. */
  async follow() {
    const named = readAddress(this.index);
    if (!named) return false;
    byId("filters").reset();
    choose({ stage: this.index.stage[named.trace], against: named.against });
    this.selected = named.trace;
    await this.filter();
    await this.open(named.trace);
    byId("traces").scrollIntoView();
    return true;
  }

  /** Show the traces of a stage with a step refused for a reason. */
  async showFailures({ stage, reason }) {
    byId("filters").reset();
    choose({
      stage: this.index.stages.findIndex((known) => known.name === stage),
      reason: this.index.reasonNames.indexOf(reason),
    });
    await this.filter();
    byId("traces").scrollIntoView();
    byId("list").focus({ preventScroll: true });
    this.list.select(0);
  }

  listen() {
    byId("filters").addEventListener("input", () => this.changed());
    byId("filters").addEventListener("submit", (event) => event.preventDefault());
    byId("filters").addEventListener("reset", () => setTimeout(() => this.changed()));
    document.addEventListener("keydown", (event) => this.key(event));
    addEventListener("hashchange", () => this.follow());
    for (const button of document.querySelectorAll("button[data-reason]")) {
      button.addEventListener("click", () => this.showFailures(button.dataset));
    }
  }

  async changed() {
    await this.filter();
    if (this.selected >= 0) await this.open(this.selected);
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const action = this.actions(event.target)[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  }

  /** What keys do, by where the focus is; where something is being typed they write. */
  actions(target) {
    const { list } = this;
    const leave = { Escape: () => this.leave() };
    if (target.id === "query") return { ...leave, Enter: () => this.leave(), ArrowDown: () => this.leave() };
    if (target.matches("select, input")) return leave;
    const always = { ...leave, "/": () => byId("query").focus(), j: () => this.step(1), k: () => this.step(-1) };
    if (target !== list.box) return always;
    return {
      ...always,
      ArrowDown: () => list.move(1),
      ArrowUp: () => list.move(-1),
      PageDown: () => list.move(list.page),
      PageUp: () => list.move(-list.page),
      Home: () => list.select(0),
      End: () => list.select(list.traces.length - 1),
      Enter: () => this.read(),
    };
  }

  step(by) {
    this.list.move(by);
    if (!this.panel.contains(document.activeElement)) this.list.box.focus({ preventScroll: true });
  }

  /** Go into the trace that is selected. */
  async read() {
    if (this.list.at < 0) this.list.select(0);
    await this.opening;
    byId("trace-title")?.focus();
  }

  /** Go back: out of the trace or the search into the list. */
  leave() {
    this.list.box.focus();
    if (this.list.at < 0) this.list.select(0);
  }
}

prepareTheme();
const explorer = new Explorer(await loadIndex());
prepareFilters(explorer.index);
explorer.start();
explorer.listen();
if (!(await explorer.follow())) await explorer.filter();
document.querySelector(".no-script").remove();
document.documentElement.dataset.ready = "true";
performance.mark("ready");
