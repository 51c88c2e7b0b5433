// `finitewidth optimise` on handwritten digits against a grid search and scikit-learn's optimised Gaussian process with a radial kernel;
// the table goes to docs/theories/evidence.md. Usage: node --conditions @finitewidth/source --import ./ts-preload.mjs optimise-digits.mjs
// (nx run @finitewidth/tools:optimise-digits); needs python3 with scikit-learn for its last row. Pairs are kept in results/optimise-
// digits.jsonl and taken from there.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { createRegistry, fit } from "@finitewidth/core";
import { plugin as datasets, loadDataset } from "@finitewidth/datasets";
import { optimiseEvidence } from "@finitewidth/experiment";
import { standardPlugins } from "@finitewidth/verification";
import { processorTime, replaceBlock, resumable } from "./resumable.mjs";

const registry = createRegistry([...standardPlugins, datasets]);
const over = { weightVariance: [0.05, 20], temperature: [1e-3, 1], widths: [2, 500] };
const defaults = { weightVariance: 1, temperature: 0.05, widths: 100 };
const steps = 10;
const linear = (width) => ({ type: "fully-connected", widths: [width], activation: "identity" });

/** Geometric steps between bounds, both included; counts are rounded. */
const geometric = ([from, to], whole) =>
  Array.from({ length: steps }, (_, k) => from * (to / from) ** (k / (steps - 1))).map((value) => (whole ? Math.round(value) : value));

async function solve({ train, test }, method, { weightVariance, temperature, widths }) {
  const problem = { network: { ...linear(widths), weightVariance }, ...train, temperature };
  const { posterior, predict } = await fit(registry.theory(method), problem, { registry });
  const { mean } = await predict(test.inputs);
  const y = test.targets.data;
  return {
    logEvidence: posterior.logEvidence,
    testError: y.reduce((sum, value, i) => sum + (value - mean.data[i]) ** 2 / y.length, 0),
    wrong: y.filter((value, i) => value * mean.data[i] <= 0).length,
  };
}

/** The radial Gaussian process of scikit-learn on the same numbers. */
function scikitLearn({ train, test }) {
  const rows = ({ data, shape }) => Array.from({ length: shape[0] }, (_, i) => Array.from(data.slice(i * shape[1], (i + 1) * shape[1])));
  const input = { x: rows(train.inputs), y: [...train.targets.data], xTest: rows(test.inputs), yTest: [...test.targets.data] };
  const script = fileURLToPath(new URL("optimise-digits.py", import.meta.url));
  const { status, stdout, stderr } = spawnSync("python3", [script], { input: JSON.stringify(input), encoding: "utf8", maxBuffer: 1e8 });
  if (status !== 0) throw new Error(`python3 with scikit-learn failed: ${stderr.trim().split("\n").at(-1)}`);
  return JSON.parse(stdout);
}

async function runPair({ classes, method, points }) {
  const source = { dataset: "mnist", classes, train: points, test: 500, size: [8, 8], labels: "sign", seed: 1 };
  const data = await loadDataset(source);
  const network = linear(defaults.widths);
  const started = processorTime();
  const found = await optimiseEvidence(
    { data: source, network, likelihood: { temperature: defaults.temperature }, optimise: { over, method, starts: 1 }, seed: 1 },
    { registry },
  );
  const searched = processorTime();
  let best = { logEvidence: -Infinity };
  for (const widths of geometric(over.widths, true))
    for (const weightVariance of geometric(over.weightVariance))
      for (const temperature of geometric(over.temperature)) {
        const { logEvidence } = await solve(data, method, { widths, weightVariance, temperature });
        if (logEvidence > best.logEvidence) best = { logEvidence, values: { widths, weightVariance, temperature } };
      }
  return {
    evaluations: found.trace.length,
    atBounds: found.optimum.atBounds,
    seconds: { optimise: searched - started, grid: processorTime() - searched },
    rows: {
      default: { values: defaults, ...(await solve(data, method, defaults)) },
      optimise: { values: found.optimum.values, ...(await solve(data, method, found.optimum.values)) },
      grid: { values: best.values, ...(await solve(data, method, best.values)) },
      scikitLearn: scikitLearn(data),
    },
  };
}

const cases = [
  { classes: [3, 8], method: "exact", points: 100 },
  { classes: [4, 9], method: "exact", points: 100 },
].map((one) => ({ ...one, classes: one.classes.join("") }));
const known = await resumable("optimise-digits", cases, (one) => runPair({ ...one, classes: [...one.classes].map(Number) }));
const titles = { default: "default", optimise: "`optimise`", grid: `grid of ${steps ** 3}`, scikitLearn: "scikit-learn, radial kernel" };
const number = (value) => Number(value.toPrecision(3));
const lines = known.flatMap(({ classes, method, evaluations, atBounds, rows }) =>
  Object.entries(rows).map(([key, { values, logEvidence, testError, wrong, kernel }]) => {
    const at = values ? `${number(values.weightVariance)}, ${number(values.temperature)}, ${values.widths}` : kernel;
    const bound = key === "optimise" && atBounds.length > 0 ? ` (at a bound: ${atBounds.join(", ")})` : "";
    const cost = { default: "1", optimise: `${evaluations}`, grid: `${steps ** 3}` }[key] ?? "–";
    return `| ${[...classes].join("/")}, \`${method}\` | ${titles[key]} | ${cost} | ${at}${bound} | ${logEvidence.toFixed(2)} | ${testError.toFixed(4)} | ${(wrong / 5).toFixed(1)} % |`;
  }),
);
if (known.length > 0)
  replaceBlock("docs/theories/evidence.md", "optimise-digits", [
    "| digits, method | chosen by | evaluations | σ_w², T, N | log evidence | squared error, 500 test images | wrong |",
    "| --- | --- | --- | --- | --- | --- | --- |",
    ...lines,
  ]);
