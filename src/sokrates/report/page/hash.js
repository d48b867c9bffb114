// The address of a trace: #trace=ID&stage=iter2&sample=0, and &beside=sft for the one it is compared with.

/** The place that the address names, or null; what is not in the index is not found. */
export function readAddress(index) {
  const said = new URLSearchParams(location.hash.slice(1));
  if (!said.has("trace")) return null;
  const stage = stageNamed(index, said.get("stage"));
  const sample = Number(said.get("sample") ?? 0);
  for (let trace = 0; trace < index.count; trace += 1) {
    if (index.ids[index.problem[trace]] !== said.get("trace")) continue;
    if ((stage < 0 || index.stage[trace] === stage) && index.sample[trace] === sample) {
      const beside = stageNamed(index, said.get("beside"));
      return { trace, against: beside < 0 ? null : beside };
    }
  }
  return null;
}

/** Make a trace the page's address, without a step in its history. */
export function writeAddress(index, trace, against) {
  const said = new URLSearchParams({
    trace: index.ids[index.problem[trace]],
    stage: index.stages[index.stage[trace]].name,
    sample: `${index.sample[trace]}`,
  });
  if (against !== null) said.set("beside", index.stages[against].name);
  history.replaceState(null, "", `#${said}`);
}

function stageNamed(index, name) {
  return index.stages.findIndex((stage) => stage.name === name);
}
