// Verdicts of the referee against long runs of the same network, over a fraction of a grid of data, activations, sizes and depths; the
// table goes to docs/theories/referee.md. Usage: node --conditions @finitewidth/source --import ./ts-preload.mjs referee-calibration.mjs
// [--only half=tuning,points=40,…] [--seconds S] [--table] (nx run @finitewidth/tools:referee-calibration); finished networks are kept in
// results/referee-verdicts.jsonl, long runs in results/referee-truth.jsonl, and taken from there. The rule may be tuned on the tuning
// half only: remove the verdicts, keep the long runs.
import { createRegistry, fit, inlineRun } from "@finitewidth/core";
import { loadDataset } from "@finitewidth/datasets";
import { referee } from "@finitewidth/monte-carlo";
import { stream } from "@finitewidth/random";
import { standardPlugins } from "@finitewidth/verification";
import { processorTime, replaceBlock, resumable } from "./resumable.mjs";

const registry = createRegistry(standardPlugins);
const theories = [
  ["nngp", {}],
  ["effective-action", {}],
  ["effective-action", { correction: "cumulant" }],
  ["perturbative", {}],
  ["forward-backward", {}],
  ["expectation-propagation", {}],
];
/** Theories that take minutes with many numbers to fit are judged on the smallest networks of the grid. */
const dear = ["expectation-propagation", "forward-backward"];
const affordable = (name, { points, outputs }) => points * outputs <= 40 || !dear.includes(name);

/**
 * A fraction of the grid: every level of every factor in both halves, mirrored pairs (data, activation and outputs swapped), cheap networks
 * more often. Every network has data and seeds of its own; the two halves share neither.
 */
const design = [
  // data, activation, points, width, depth, outputs of the tuning half; then of the held-out half
  [
    ["digits", "erf", 40, 5, 1, 1],
    ["teacher", "erf", 40, 5, 1, 3],
  ],
  [
    ["teacher", "relu", 40, 20, 1, 1],
    ["digits", "relu", 40, 20, 1, 3],
  ],
  [
    ["digits", "tanh", 40, 80, 1, 3],
    ["teacher", "tanh", 40, 80, 1, 1],
  ],
  [
    ["teacher", "erf", 40, 20, 2, 3],
    ["digits", "erf", 40, 20, 2, 1],
  ],
  [
    ["digits", "relu", 40, 80, 2, 1],
    ["teacher", "relu", 40, 80, 2, 3],
  ],
  [
    ["teacher", "tanh", 40, 5, 2, 1],
    ["digits", "tanh", 40, 5, 2, 1],
  ],
  [
    ["digits", "erf", 40, 500, 1, 1],
    ["teacher", "erf", 40, 500, 1, 1],
  ],
  [
    ["teacher", "relu", 40, 500, 1, 3],
    ["digits", "tanh", 40, 500, 1, 3],
  ],
  [
    ["digits", "relu", 100, 20, 1, 1],
    ["teacher", "relu", 100, 20, 1, 1],
  ],
  [
    ["teacher", "erf", 100, 80, 1, 1],
    ["digits", "erf", 100, 80, 1, 1],
  ],
  [
    ["teacher", "tanh", 100, 500, 1, 1],
    ["digits", "relu", 100, 500, 1, 1],
  ],
  [
    ["digits", "tanh", 200, 80, 1, 1],
    ["teacher", "erf", 200, 20, 1, 1],
  ],
];

function cases() {
  const at = process.argv.indexOf("--only");
  const wanted = at < 0 ? [] : process.argv[at + 1].split(",").map((pair) => pair.split("="));
  const keys = ["data", "activation", "points", "width", "depth", "outputs"];
  return ["tuning", "held-out"]
    .flatMap((half, h) =>
      design.map((pair, k) => ({ ...Object.fromEntries(keys.map((key, i) => [key, pair[h][i]])), seed: 300 + 2 * k + h, half })),
    )
    .filter((one) => wanted.every(([key, value]) => String(one[key]) === value));
}

async function dataOf({ data, points, outputs, seed }) {
  if (data === "digits") {
    const classes = outputs === 1 ? [0, 1] : [0, 1, 2];
    const labels = outputs === 1 ? "sign" : "one-hot";
    const { train, test } = await loadDataset({ dataset: "mnist", classes, train: points, test: 100, size: [8, 8], labels, seed });
    return { train, test, temperature: 0.05 };
  }
  const random = stream(5, seed);
  const features = 20;
  const normals = (n) => random.normals(new Float64Array(n));
  const [hidden, first, second] = [8, normals(8 * features), normals(8 * outputs)];
  const draw = (count) => {
    const inputs = { data: normals(count * features), shape: [count, features] };
    const targets = { data: new Float64Array(count * outputs), shape: [count, outputs] };
    for (let i = 0; i < count; i++)
      for (let h = 0; h < hidden; h++) {
        let sum = 0;
        for (let j = 0; j < features; j++) sum += (first[h * features + j] * inputs.data[i * features + j]) / Math.sqrt(features);
        for (let d = 0; d < outputs; d++)
          targets.data[i * outputs + d] += (Math.tanh(1.2 * sum) * second[d * hidden + h]) / Math.sqrt(hidden);
      }
    targets.data.forEach((_, i) => (targets.data[i] += 0.3 * random.normal()));
    return { inputs, targets };
  };
  return { train: draw(points), test: draw(100), temperature: 0.1 };
}

/** What every theory says, as the referee hears it in an experiment. */
async function answers(one) {
  const { train, test, temperature } = await dataOf(one);
  const network = { type: "fully-connected", widths: Array(one.depth).fill(one.width), activation: one.activation };
  const [methods, warnings] = [{}, {}];
  let problem;
  for (const [name, options] of theories.filter(([each]) => affordable(each, one))) {
    const label = options.correction ?? name;
    try {
      const { posterior, predict } = await fit(registry.theory(name), { network, ...train, temperature }, { registry, options });
      problem = posterior.problem;
      const predictive = await predict(test.inputs);
      if (![...predictive.mean.data, ...predictive.variance.data].every(Number.isFinite)) continue;
      const { logEvidence, hiddenKernels, evidenceIsLeadingOrder, standardError: own } = posterior;
      methods[label] = {
        predictive,
        ...(logEvidence === undefined || evidenceIsLeadingOrder ? {} : { logEvidence, logEvidenceStandardError: own?.logEvidence ?? 0 }),
        ...(hiddenKernels ? { hiddenKernels } : {}),
        ...(own?.hiddenKernels ? { hiddenKernelStandardErrors: own.hiddenKernels } : {}),
      };
      warnings[label] = posterior.warnings.length;
    } catch {
      // a theory that refuses or fails has nothing to be judged
    }
  }
  return { problem, methods, warnings, test };
}

/** The referee's verdicts on a theory's numbers. */
async function verdictsOn(one, { problem, methods, warnings, test }) {
  const started = processorTime();
  const { verdicts, referee: found } = await referee(problem, methods, test, { looks }, inlineRun({ registry, seed: one.seed }));
  const { draws, checked, generalizationErrorStandardError: own } = found;
  return { seconds: processorTime() - started, draws, checked, own: own?.total, warnings, verdicts };
}

/** Multiplications of a gradient of the likelihood, as the referee counts them. */
const cost = ({ data, points, width, depth }) =>
  1e6 +
  6 * points * width * (Math.min(points, data === "digits" ? 64 : 20) + (depth - 1) * width) +
  3 * Math.min(points, width) ** 2 * Math.max(points, width);
/** Looks of the referee: two of its three, which keeps the long runs affordable. */
const looks = 2;
/** Chains of the long run, which are particles of its annealing too, and about how many multiplications its draws may take. */
const chains = 128;
const dearest = 1e11;

/** How far every number is off by a run of four times as many draws as the referee took, other chains: twice its precision. */
async function longRun(one, { problem, methods, test }, draws) {
  // what a sampled theory states as its own error is part of how far it is off
  const bare = Object.fromEntries(
    Object.entries(methods).map(([label, { predictive, logEvidence, hiddenKernels }]) => {
      const { mean, variance } = predictive;
      return [
        label,
        {
          predictive: { mean, variance },
          ...(logEvidence === undefined ? {} : { logEvidence }),
          ...(hiddenKernels ? { hiddenKernels } : {}),
        },
      ];
    }),
  );
  const wanted = Math.max(8, Math.min(Math.ceil((4 * 32 * draws) / chains), Math.floor(dearest / (4 * chains * cost(one)))));
  const options = { chains, draws: wanted, looks: 1, seconds: 1e6 };
  const { verdicts, referee: found } = await referee(problem, bare, test, options, inlineRun({ registry, seed: one.seed + 1e6 }));
  const numbers = (quantities) =>
    Object.fromEntries(Object.entries(quantities).map(([name, { error, standardError }]) => [name, { error, standardError }]));
  return {
    draws: found.draws,
    checked: found.checked,
    truth: found.generalizationError?.total,
    standardError: found.generalizationErrorStandardError?.total,
    errors: Object.fromEntries(Object.entries(verdicts).map(([label, quantities]) => [label, numbers(quantities)])),
  };
}

const all = cases();
let [judged, measured] = [[], []];
for (const one of all) {
  let said;
  const heard = () => (said ??= answers(one));
  judged = await resumable("referee-verdicts", [one], async () => verdictsOn(one, await heard()));
  const own = find(judged, one);
  measured = await resumable("referee-truth", own ? [one] : [], async () => longRun(one, await heard(), own.draws ?? 14));
}
function find(among, one) {
  return among.find((other) => Object.entries(one).every(([key, value]) => other[key] === value));
}
/** Networks that have both: every number with its verdict and how far it is off. */
const known = all.flatMap((one) => {
  const [short, long] = [find(judged, one), find(measured, one)];
  if (!short || !long) return [];
  const rows = Object.entries(short.verdicts).flatMap(([label, quantities]) =>
    Object.entries(quantities).flatMap(([quantity, { status, error, standardError }]) => {
      const { error: off = null, standardError: offError } = long.errors[label][quantity] ?? {};
      const effect = long.errors.nngp[quantity]?.error ?? null;
      // an evidence or a kernel that infinite width lacks has no effect to be measured against
      return off === null || effect === null
        ? []
        : [{ label, quantity, status, error, standardError, off, offError, effect, warnings: short.warnings[label] }];
    }),
  );
  return [{ ...one, seconds: short.seconds, checked: short.checked && long.checked, precision: short.own / long.standardError, rows }];
});
const titles = {
  generalizationError: "generalisation error",
  predictive: "predictive",
  logEvidence: "log evidence",
  hiddenKernels: "hidden kernels",
};

/** Counts of one half: how often what was confirmed is off, and what became of errors that are known to matter. */
function summary(half) {
  const judged = known
    .filter((one) => one.half === half && one.checked)
    .flatMap(({ rows, width }) => rows.map((row) => ({ ...row, width })));
  return Object.entries(titles).map(([quantity, title]) => {
    const rows = judged.filter((row) => row.quantity === quantity);
    const count = (status, among = rows) => among.filter((row) => row.status === status).length;
    const checked = rows.filter(({ status }) => status !== "unchecked");
    const confirmed = rows.filter(({ status }) => status === "confirmed");
    const beyond = confirmed.filter((row) => row.off - 3 * row.offError > 3 * Math.hypot(row.error, row.standardError)).length;
    const matters = ({ off, offError, effect }) => off - 3 * offError > 0.2 * effect;
    const large = checked.filter(matters);
    const unseen = count("unchecked", rows.filter(matters));
    const missed = count("confirmed", large);
    const right = checked.filter(({ width, off, effect }) => width === 500 && off < 0.2 * effect);
    return { half, quantity, title, rows, checked, confirmed, beyond, large, missed, unseen, right, count };
  });
}
const cells = ({ half, title, rows, beyond, confirmed, large, missed, right, count }) =>
  `| ${half} | ${title} | ${rows.length} | ${["confirmed", "doubtful", "contradicted", "unchecked"].map((status) => count(status)).join(" | ")} | ${beyond} of ${confirmed.length} | ${large.length - missed} of ${large.length} | ${count("contradicted", right)} and ${count("doubtful", right)} of ${right.length} |`;
const summaries = ["tuning", "held-out"].flatMap(summary);
const methods = [...new Set(known.flatMap(({ rows }) => rows.map(({ label }) => label)))];
const statuses = ["confirmed", "doubtful", "contradicted", "unchecked"];
const perMethod = methods.map((label) => {
  const own = known.flatMap(({ rows }) => rows.filter((row) => row.label === label));
  return `| ${label} | ${Object.keys(titles)
    .map((quantity) => statuses.map((status) => own.filter((row) => row.quantity === quantity && row.status === status).length).join(" / "))
    .join(" | ")} |`;
});
const sorted = known.map(({ seconds }) => seconds).toSorted((a, b) => a - b);
const total = (half, key) => summaries.filter((one) => one.half === half).reduce((sum, one) => sum + key(one), 0);
const share = (part, whole) => (whole === 0 ? "none" : `${part} of ${whole} (${((100 * part) / whole).toFixed(1)} %)`);
const sentence = (half) => {
  const right = summaries.filter((one) => one.half === half).flatMap((one) => one.right);
  const doubted = right.filter(({ status }) => status === "doubtful" || status === "contradicted").length;
  const warned = right.filter(({ warnings: count }) => count > 0).length;
  return `${half}: ${known.filter((one) => one.half === half).length} networks; of the confirmed numbers ${share(
    total(half, (one) => one.beyond),
    total(half, (one) => one.confirmed.length),
  )} are off by more than three stated errors; of the errors above a fifth of the effect of finite width ${share(
    total(half, (one) => one.large.length - one.missed),
    total(half, (one) => one.large.length),
  )} are doubtful or contradicted, ${total(half, (one) => one.unseen)} more unchecked; of ${right.length} numbers at N = 500 that are right to a fifth of the effect ${doubted} are doubtful or contradicted, ${warned} come with a warning of the method.`;
};
const middle = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
const precision = middle(known.flatMap(({ precision: ratio }) => (ratio ? [ratio] : [])));
if (known.length > 0)
  replaceBlock("docs/theories/referee.md", "calibration", [
    `Networks: ${known.map((one) => `${one.data} ${one.activation} P ${one.points} N ${one.width} L ${one.depth} D ${one.outputs} (${one.half})`).join("; ")}.`,
    "",
    `- ${sentence("tuning")}`,
    `- ${sentence("held-out")}`,
    "",
    "| half | quantity | numbers | confirmed | doubtful | contradicted | unchecked | confirmed, off by more than 3 stated errors | errors above a fifth of the effect, not confirmed | N = 500, right theories contradicted and doubtful |",
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ...summaries.map(cells),
    "",
    "Verdicts by method, confirmed / doubtful / contradicted / unchecked:",
    "",
    `| method | ${Object.values(titles).join(" | ")} |`,
    "| --- | --- | --- | --- | --- |",
    ...perMethod,
    "",
    `The referee took ${middle(sorted).toFixed(1)} s of processor time (median), ${sorted.at(-1).toFixed(0)} s at most; the long runs are ${precision.toFixed(1)} times as precise (median).`,
  ]);
