// Verdicts of the referee against the same network sampled by other seeds, over a fraction of a grid of data, activations, sizes and
// depths; the tables go to docs/theories/referee.md. Usage: node --conditions @finitewidth/source --import ./ts-preload.mjs
// referee-calibration.mjs [--only half=tuning,points=40,…] [--seconds S] [--table] (nx run @finitewidth/tools:referee-calibration).
// Finished networks are kept in results/referee-calibration.jsonl, chains in results/referee-chains; chains know nothing of the rule, so
// that after a change of it (on the tuning half only) the networks are removed and the chains stay.
import { inlineRun } from "@finitewidth/core";
import { joinGroups, referee, runRefereeChains } from "@finitewidth/monte-carlo";
import { madeUpAnswers, doseLabel, doses, doseTable } from "./referee-doses.mjs";
import { answers, cases, registry } from "./referee-networks.mjs";
import { keptRun, processorTime, remembered, replaceBlock, resumable } from "./resumable.mjs";

/** Seeds of the referee per network. Every one is held against the chains of all others, which are as many times as precise. */
const seedsOf = ({ points, width }) => (points === 40 && width < 500 ? 6 : 4);
/** Looks of the referee: two of its three, which keeps the chains affordable. */
const looks = 2;

/** A run that keeps its chunks and their processor time, and notes the referee's groups look by look. */
function noted(seed) {
  const inner = inlineRun({ registry, seed });
  const timed = {
    ...inner,
    async *map(task, chunks) {
      for (const chunk of chunks) {
        const started = processorTime();
        for await (const result of inner.map(task, [chunk])) yield { ...result, seconds: processorTime() - started };
      }
    },
  };
  const kept = keptRun(timed, "referee-chains");
  const notes = { seconds: 0, pilot: undefined, groups: [] };
  const run = {
    ...kept,
    async *map(task, chunks) {
      let g = 0;
      for await (const { seconds, ...result } of kept.map(task, chunks)) {
        notes.seconds += seconds;
        if (task.name === runRefereeChains.name && chunks[0].chains === 0) notes.pilot = result;
        else if (task.name === runRefereeChains.name) {
          notes.groups[g] = chunks[0].look === 0 ? result : joinGroups(notes.groups[g], result);
          g++;
        }
        yield result;
      }
    },
  };
  return { run, notes };
}

/** A run whose chains are those of several others. */
function pooled(all) {
  const inner = inlineRun({ registry, seed: 0 });
  const groups = all[0].groups.map((first, g) => {
    const same = all.map(({ groups }) => groups[g]);
    const joint = (key) => same.flatMap((group) => group[key]);
    return { ...first, ...Object.fromEntries(["averages", "kernels", "logLikelihoods", "stein"].map((key) => [key, joint(key)])) };
  });
  return {
    ...inner,
    async *map(task, chunks) {
      if (task.name !== runRefereeChains.name) yield* inner.map(task, chunks);
      else yield* chunks[0].chains === 0 ? [all[0].pilot] : groups;
    },
  };
}

/** What a sampled theory states as its own error is part of how far it is off. */
const bare = ({ predictive: { mean, variance }, logEvidence, hiddenKernels }) => ({
  predictive: { mean, variance },
  ...(logEvidence === undefined ? {} : { logEvidence }),
  ...(hiddenKernels ? { hiddenKernels } : {}),
});

/** How far every number is off by the chains of other seeds: their outputs and kernels pooled, their evidences averaged. */
async function truthOf({ problem, methods, test }, others) {
  const chains = others.reduce((sum, { groups }) => sum + groups.reduce((all, { averages }) => all + averages.length, 0), 0);
  const bareMethods = Object.fromEntries(Object.entries(methods).map(([label, method]) => [label, bare(method)]));
  const found = await referee(problem, bareMethods, test, { chains, draws: 14, looks: 1, seconds: 1e9 }, pooled(others));
  const evidence = {
    value: others.reduce((sum, { logEvidence }) => sum + logEvidence / others.length, 0),
    standardError: Math.hypot(...others.map((one) => one.logEvidenceStandardError)) / others.length,
  };
  for (const [label, { logEvidence }] of Object.entries(bareMethods)) {
    if (logEvidence === undefined) continue;
    const { standardError } = evidence;
    Object.assign(found.verdicts[label].logEvidence, { error: Math.abs(logEvidence - evidence.value), standardError });
  }
  return { ...found, evidence };
}

const find = (among, one) => among.find((other) => Object.entries(one).every(([key, value]) => other[key] === value));

/** All seeds of one network: every number with its verdict and how far it is off by the other seeds. */
async function calibrate(one) {
  const heard = await remembered("referee-answers", one, () => answers(one));
  const { problem, methods, warnings, test } = heard;
  const runs = [];
  for (let s = 0; s < seedsOf(one); s++) {
    const { run, notes } = noted(1000 * one.seed + s);
    const found = await referee(problem, methods, test, { looks }, run);
    runs.push({ ...notes, groups: [...notes.groups], ...found.referee, verdicts: found.verdicts, run });
  }
  const judged = [];
  for (const [s, own] of runs.entries()) {
    if (!own.checked) continue;
    const others = runs.filter((other, k) => k !== s && other.checked);
    const truth = await truthOf(heard, others);
    const dosed = madeUpAnswers(heard, others, truth.evidence.value);
    // as many draws as the theories needed: some doses are doubtful by intent
    const { verdicts: ofDoses } = await referee(problem, dosed, test, { looks: own.draws === 14 ? 1 : looks }, own.run);
    const rows = Object.entries(own.verdicts).flatMap(([label, quantities]) =>
      Object.entries(quantities).flatMap(([quantity, { status, error, standardError }]) => {
        const { error: off = null, standardError: offError } = truth.verdicts[label][quantity] ?? {};
        const effect = truth.verdicts.nngp[quantity]?.error ?? null;
        // an evidence or a kernel that infinite width lacks has no effect to be measured against
        return off === null || effect === null
          ? []
          : [{ label, quantity, status, error, standardError, off, offError, effect, warnings: warnings[label] }];
      }),
    );
    const dose = doses.map((part) =>
      Object.fromEntries(Object.entries(ofDoses[doseLabel(part)]).map(([quantity, { status }]) => [quantity, status])),
    );
    judged.push({
      s,
      seconds: own.seconds,
      draws: own.draws,
      precision: own.generalizationErrorStandardError.total / truth.referee.generalizationErrorStandardError.total,
      rows,
      dose,
    });
  }
  return { seeds: runs.length, judged };
}

const all = cases();
let measured = [];
for (const one of all) measured = await resumable("referee-calibration", [one], () => calibrate(one));
const known = all.flatMap((one) => find(measured, one) ?? []);
const titles = {
  generalizationError: "generalisation error",
  predictive: "predictive",
  logEvidence: "log evidence",
  hiddenKernels: "hidden kernels",
};
const rowsOf = (among) =>
  among.flatMap(({ judged, seed, width }) => judged.flatMap(({ rows }) => rows.map((row) => ({ ...row, seed, width }))));

/** Counts: how often what was confirmed is off, and what became of errors that are known to matter. */
function counted(rows) {
  const count = (status, among = rows) => among.filter((row) => row.status === status).length;
  const checked = rows.filter(({ status }) => status !== "unchecked");
  const confirmed = rows.filter(({ status }) => status === "confirmed");
  const beyond = confirmed.filter((row) => row.off - 3 * row.offError > 3 * Math.hypot(row.error, row.standardError));
  const matters = ({ off, offError, effect }) => off - 3 * offError > 0.2 * effect;
  const large = checked.filter(matters);
  const right = checked.filter(({ width, off, effect }) => width === 500 && off < 0.2 * effect);
  const [missed, unseen] = [large.filter(({ status }) => status === "confirmed"), count("unchecked", rows.filter(matters))];
  return { rows, confirmed, beyond, large, missed, unseen, right, count };
}
/** Different numbers of different methods on different networks: seeds of one number share its error. */
const numbers = (rows) => new Set(rows.map(({ seed, label, quantity }) => `${seed} ${label} ${quantity}`)).size;
/** Rate that no event in n excludes at 95 %. */
const bound = (n) => `${(100 * (1 - 0.05 ** (1 / n))).toFixed(1)} %`;
const cells = (half, title, { rows, confirmed, beyond, large, missed, right, count }) =>
  `| ${half} | ${title} | ${rows.length} | ${["confirmed", "doubtful", "contradicted", "unchecked"].map((status) => count(status)).join(" | ")} | ${beyond.length} of ${confirmed.length} | ${large.length - missed.length} of ${large.length} | ${count("contradicted", right)} and ${count("doubtful", right)} of ${right.length} |`;
const halves = ["tuning", "held-out"].map((half) => [half, known.filter((one) => one.half === half)]);
const table = halves.flatMap(([half, among]) =>
  Object.entries(titles).map(([quantity, title]) => cells(half, title, counted(rowsOf(among).filter((row) => row.quantity === quantity)))),
);
const statuses = ["confirmed", "doubtful", "contradicted", "unchecked"];
const everything = rowsOf(known);
const perMethod = [...new Set(everything.map(({ label }) => label))].map((label) => {
  const own = everything.filter((row) => row.label === label);
  return `| ${label} | ${Object.keys(titles)
    .map((quantity) => statuses.map((status) => own.filter((row) => row.quantity === quantity && row.status === status).length).join(" / "))
    .join(" | ")} |`;
});
const share = (part, whole) => (whole === 0 ? "none" : `${part} of ${whole} (${((100 * part) / whole).toFixed(1)} %)`);
function sentence(half, among) {
  const { confirmed, beyond, large, missed, unseen, right } = counted(rowsOf(among));
  const doubted = right.filter(({ status }) => status !== "confirmed");
  const warned = right.filter(({ warnings }) => warnings > 0).length;
  const excluded =
    beyond.length > 0 || confirmed.length === 0
      ? ""
      : ` (rates above ${bound(confirmed.length)} excluded at 95 % if verdicts were independent, above ${bound(numbers(confirmed))} counting numbers)`;
  return `${half}: ${among.length} networks, ${rowsOf(among).length} verdicts on ${numbers(rowsOf(among))} numbers; of the confirmed verdicts, on ${numbers(confirmed)} numbers, ${share(beyond.length, confirmed.length)} are off by more than three stated errors${excluded}; of the errors above a fifth of the effect of finite width, on ${numbers(large)} numbers, ${share(large.length - missed.length, large.length)} are doubtful or contradicted, ${unseen} more unchecked; of ${right.length} verdicts on ${numbers(right)} numbers at N = 500 that are right to a fifth of the effect ${doubted.length}, on ${numbers(doubted)} numbers, are doubtful or contradicted, ${warned} come with a warning of the method.`;
}
const middle = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
const judged = known.flatMap((one) => one.judged);
if (known.length > 0)
  replaceBlock("docs/theories/referee.md", "calibration", [
    `Networks (half; seeds): ${known.map((one) => `${one.data} ${one.activation} P ${one.points} N ${one.width} L ${one.depth} D ${one.outputs} (${one.half}; ${one.judged.length})`).join(", ")}.`,
    "",
    ...[...halves.filter(([, among]) => among.length > 0), ["both halves", known]].map(([half, among]) => `- ${sentence(half, among)}`),
    "",
    "| half | quantity | verdicts | confirmed | doubtful | contradicted | unchecked | confirmed, off by more than 3 stated errors | errors above a fifth of the effect, not confirmed | N = 500, right theories contradicted and doubtful |",
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ...table,
    "",
    "Made-up answers that are a known part of the effect of finite width off, share of verdicts in per cent, confirmed / doubtful / contradicted / unchecked:",
    "",
    ...doseTable(judged, titles),
    "",
    "Verdicts by method, confirmed / doubtful / contradicted / unchecked:",
    "",
    `| method | ${Object.values(titles).join(" | ")} |`,
    "| --- | --- | --- | --- | --- |",
    ...perMethod,
    "",
    `The referee took ${middle(judged.map(({ seconds }) => seconds)).toFixed(1)} s of processor time (median), ${Math.max(...judged.map(({ seconds }) => seconds)).toFixed(0)} s at most; what it is held against is ${middle(judged.map(({ precision }) => precision)).toFixed(1)} times as precise (median).`,
  ]);
