// Verdicts of the referee against long runs of the same network, over a grid of data, activations, sizes and depths; the table goes to
// docs/theories/referee.md. Usage: node --conditions @finitewidth/source --import ./ts-preload.mjs referee-calibration.mjs [--every K]
// [--points P] [--width N] [--verbose] (nx run @finitewidth/tools:referee-calibration); finished cases are kept in
// results/referee-calibration.jsonl and taken from there.
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { createRegistry, fit, inlineRun } from "@finitewidth/core";
import { loadDataset } from "@finitewidth/datasets";
import { referee } from "@finitewidth/monte-carlo";
import { stream } from "@finitewidth/random";
import { standardPlugins } from "@finitewidth/verification";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const record = join(root, "results", "referee-calibration.jsonl");
const registry = createRegistry(standardPlugins);
const theories = [
  ["nngp", {}],
  ["effective-action", {}],
  ["effective-action", { correction: "cumulant" }],
  ["perturbative", {}],
  ["forward-backward", {}],
];

/**
 * Every case; `--every K` takes each K-th of them in an order that mixes all axes, `--points P` those of up to P points, `--width N` of up
 * to N units.
 */
function cases() {
  const all = [];
  for (const data of ["digits", "teacher"])
    for (const activation of ["erf", "relu", "tanh"])
      for (const points of [40, 100, 200])
        for (const width of [5, 20, 80, 500])
          for (const depth of [1, 2]) for (const outputs of [1, 3]) all.push({ data, activation, points, width, depth, outputs });
  const option = (name, standard) => (process.argv.includes(name) ? Number(process.argv[process.argv.indexOf(name) + 1]) : standard);
  const [points, width, every] = [option("--points", Infinity), option("--width", Infinity), option("--every", 1)];
  const key = (one) => stream(11, one.points, one.width, one.depth, one.outputs, one.data.length, one.activation.length).uniform();
  return all.sort((a, b) => key(a) - key(b)).filter((one, i) => i % every === 0 && one.points <= points && one.width <= width);
}

async function dataOf({ data, points, outputs }) {
  if (data === "digits") {
    const classes = outputs === 1 ? [0, 1] : [0, 1, 2];
    const labels = outputs === 1 ? "sign" : "one-hot";
    const { train, test } = await loadDataset({ dataset: "mnist", classes, train: points, test: 100, size: [8, 8], labels, seed: 1 });
    return { train, test, temperature: 0.05 };
  }
  const random = stream(5, points, outputs);
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

async function runCase(one) {
  const { train, test, temperature } = await dataOf(one);
  const network = { type: "fully-connected", widths: Array(one.depth).fill(one.width), activation: one.activation };
  const methods = {};
  const warned = {};
  let problem;
  for (const [name, options] of theories) {
    const label = options.correction ?? name;
    if (process.argv.includes("--verbose")) console.log(`  ${label} ${(performance.now() / 1000).toFixed(0)}`);
    try {
      const { posterior, predict } = await fit(registry.theory(name), { network, ...train, temperature }, { registry, options });
      problem = posterior.problem;
      const predictive = await predict(test.inputs);
      if (![...predictive.mean.data, ...predictive.variance.data].every(Number.isFinite)) continue;
      methods[label] = { predictive, ...(posterior.logEvidence === undefined ? {} : { logEvidence: posterior.logEvidence }) };
      warned[label] = posterior.warnings.length;
    } catch {
      // a theory that refuses or fails has nothing to be judged
    }
  }
  if (process.argv.includes("--verbose")) console.log(`  referee ${(performance.now() / 1000).toFixed(0)} ${JSON.stringify(one)}`);
  const started = process.cpuUsage();
  const short = await referee(problem, methods, test, {}, inlineRun({ registry, seed: 1 }));
  const seconds = (process.cpuUsage(started).user + process.cpuUsage(started).system) / 1e6;
  const long = await referee(problem, {}, test, { draws: 60, chains: 32, seconds: 1e6 }, inlineRun({ registry, seed: 1001 }));
  const truth = long.referee;
  const total = (m) => {
    const { mean, variance } = m.predictive;
    return mean.data.reduce((sum, value, i) => sum + ((value - test.targets.data[i]) ** 2 + variance.data[i]) / mean.data.length, 0);
  };
  const rows = Object.entries(methods).map(([label, method]) => ({
    label,
    warnings: warned[label],
    value: total(method),
    verdict: short.verdicts[label].generalizationError,
    logEvidence: method.logEvidence,
    evidence: short.verdicts[label].logEvidence,
  }));
  return {
    ...one,
    seconds,
    draws: short.referee.draws,
    health: truth.checked,
    truth: truth.generalizationError?.total,
    error: truth.generalizationErrorStandardError?.total,
    logEvidence: truth.logEvidence,
    logEvidenceError: truth.logEvidenceStandardError,
    objections: truth.logEvidenceObjections,
    rows,
  };
}

mkdirSync(dirname(record), { recursive: true });
const known = existsSync(record) ? readFileSync(record, "utf8").trim().split("\n").filter(Boolean).map(JSON.parse) : [];
const same = (a, b) => ["data", "activation", "points", "width", "depth", "outputs"].every((key) => a[key] === b[key]);
for (const one of process.argv.includes("--table") ? [] : cases()) {
  if (known.some((other) => same(other, one))) continue;
  const found = await runCase(one);
  known.push(found);
  appendFileSync(record, `${JSON.stringify(found)}\n`);
  console.log(JSON.stringify(one), found.seconds.toFixed(1), "s");
}

/** Judged numbers: how far off, in units of the truth and of the effect of finite width, by verdict. */
function table() {
  const judged = known
    .filter(({ health, truth }) => health && truth > 0)
    .flatMap((one) => {
      const infinite = one.rows.find(({ label }) => label === "nngp")?.value;
      return one.rows.map((row) => ({ ...row, one, off: Math.abs(row.value - one.truth), effect: Math.abs(infinite - one.truth) }));
    });
  const of = (status) => judged.filter(({ verdict }) => verdict.status === status);
  const percent = (part, whole) => (whole === 0 ? "–" : `${((100 * part) / whole).toFixed(0)} %`);
  const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
  const lines = [
    "| verdict on the generalisation error | number | median error, relative | largest | off by more than 3 stated errors + 5 % |",
    "| --- | --- | --- | --- | --- |",
  ];
  for (const status of ["confirmed", "doubtful", "contradicted", "unchecked"]) {
    const rows = of(status);
    if (rows.length === 0) continue;
    const relative = rows.map(({ off, one }) => off / one.truth);
    const beyond = rows.filter(
      ({ off, verdict, one }) => off > 3 * Math.hypot(verdict.standardError ?? 0, one.error) + 0.05 * one.truth,
    ).length;
    lines.push(
      `| ${status} | ${rows.length} | ${(100 * median(relative)).toFixed(1)} % | ${(100 * Math.max(...relative)).toFixed(0)} % | ${status === "unchecked" ? "–" : beyond} |`,
    );
  }
  const large = judged.filter(
    ({ off, effect, one, verdict }) => verdict.status !== "unchecked" && off > 0.2 * effect + 3 * one.error && off > 0.05 * one.truth,
  );
  const caught = large.filter(({ verdict }) => verdict.status !== "confirmed").length;
  const methods = [...new Set(judged.map(({ label }) => label))];
  const perMethod = ["| method | confirmed | doubtful | contradicted |", "| --- | --- | --- | --- |"];
  for (const label of methods) {
    const rows = judged.filter((row) => row.label === label);
    const count = (status) => rows.filter(({ verdict }) => verdict.status === status).length;
    perMethod.push(`| ${label} | ${count("confirmed")} | ${count("doubtful")} | ${count("contradicted")} |`);
  }
  const seconds = known.map((one) => one.seconds);
  return [
    `${known.length} networks, ${judged.length} numbers; a long run of the same network (32 chains × 60 draws) is the truth.`,
    "",
    ...lines,
    "",
    `Of ${large.length} errors above 5 % of the truth and a fifth of the effect of finite width, ${percent(caught, large.length)} are doubtful or contradicted. The referee took ${median(seconds).toFixed(1)} s of processor time (median), ${Math.max(...seconds).toFixed(0)} s at most.`,
    "",
    ...perMethod,
  ].join("\n");
}
const page = join(root, "docs", "theories", "referee.md");
const [start, end] = ["<!-- calibration -->", "<!-- /calibration -->"];
const text = readFileSync(page, "utf8");
writeFileSync(page, `${text.slice(0, text.indexOf(start) + start.length)}\n${table()}\n${text.slice(text.indexOf(end))}`);
console.log(table());
