// Expectation propagation with its default options on pairs of digits that nothing was tuned to, against long runs of the network, and what
// it costs on one core; the table goes to docs/theories/expectation-propagation.md. Usage: node --conditions @finitewidth/source --import
// ./ts-preload.mjs strong-labels-pairs.mjs [--seconds S] (nx run @finitewidth/tools:strong-labels-pairs); finished pairs are kept in
// results/strong-labels-pairs.jsonl and taken from there.
import { createRegistry, fit, inlineRun } from "@finitewidth/core";
import { loadDataset } from "@finitewidth/datasets";
import { referee } from "@finitewidth/monte-carlo";
import { standardPlugins } from "@finitewidth/verification";
import { keptRun, processorTime, replaceBlock, resumable } from "./resumable.mjs";

const registry = createRegistry(standardPlugins);

/** Chosen before any of them was run: all digits, other P, N, T and seeds than in the tables above. */
const pairs = [
  { digits: "17", points: 60, width: 24, temperature: 0.05, activation: "erf", seed: 11 },
  { digits: "25", points: 45, width: 16, temperature: 0.04, activation: "erf", seed: 12 },
  { digits: "46", points: 70, width: 35, temperature: 0.05, activation: "erf", seed: 13 },
  { digits: "08", points: 40, width: 60, temperature: 0.02, activation: "erf", seed: 14 },
  { digits: "39", points: 55, width: 20, temperature: 0.1, activation: "erf", seed: 15 },
  { digits: "58", points: 60, width: 45, temperature: 0.05, activation: "erf", seed: 16 },
  { digits: "79", points: 50, width: 40, temperature: 0.05, activation: "relu", seed: 17 },
  // chosen after units that cross the wall freely got a rule of their own: few units, labels that one of them may take
  { digits: "01", points: 50, width: 8, temperature: 0.05, activation: "erf", seed: 21 },
  { digits: "19", points: 60, width: 10, temperature: 0.05, activation: "erf", seed: 22 },
  { digits: "07", points: 70, width: 12, temperature: 0.05, activation: "erf", seed: 23 },
  { digits: "47", points: 40, width: 6, temperature: 0.05, activation: "erf", seed: 24 },
  { digits: "01", points: 200, width: 67, temperature: 0.05, activation: "erf", seed: 18, timed: true },
];

async function runPair({ digits, points, width, temperature, activation, seed, timed = false }) {
  const classes = [...digits].map(Number);
  const source = { dataset: "mnist", classes, train: points, test: 200, size: [8, 8], labels: "sign", seed };
  const { train, test } = await loadDataset(source);
  const problem = { network: { type: "fully-connected", widths: [width], activation }, ...train, temperature };
  const methods = {};
  const seconds = {};
  let fitted;
  for (const name of ["nngp", "effective-action", "expectation-propagation"]) {
    const started = processorTime();
    const { posterior, predict } = await fit(registry.theory(name), problem, { registry, seed });
    methods[name] = { predictive: await predict(test.inputs), hiddenKernels: posterior.hiddenKernels };
    seconds[name] = processorTime() - started;
    fitted = posterior;
  }
  const errors = ({ predictive: { mean, variance } }) => {
    const bias = test.targets.data.reduce((sum, y, i) => sum + (y - mean.data[i]) ** 2 / test.targets.data.length, 0);
    const spread = variance.data.reduce((sum, value) => sum + value / variance.data.length, 0);
    return { bias, variance: spread, total: bias + spread };
  };
  const cost = {
    seconds: seconds["expectation-propagation"],
    warned: fitted.warnings.length > 0,
    aligned: fitted.diagnostics.alignedUnits,
  };
  if (timed) return cost;
  const long = await referee(
    fitted.problem,
    methods,
    test,
    { draws: 40, seconds: 1e6, tolerance: 1e3 },
    keptRun(inlineRun({ registry, seed: seed + 1000 }), "strong-labels-pairs"),
  );
  const { hiddenKernels } = long.verdicts["expectation-propagation"];
  // |G - truth| over |truth|, which is hardly |G|
  const norm = Math.hypot(...methods["expectation-propagation"].hiddenKernels[0].data);
  return {
    ...cost,
    healthy: long.referee.checked,
    truth: long.referee.generalizationError,
    truthError: long.referee.generalizationErrorStandardError,
    theory: errors(methods["expectation-propagation"]),
    effectiveAction: errors(methods["effective-action"]),
    infinite: errors(methods.nngp),
    kernel: hiddenKernels.error / norm,
  };
}

const known = await resumable("strong-labels-pairs", pairs, runPair);
const hit = ({ theory, truth, kernel }) =>
  ["bias", "variance", "total"].every((part) => Math.abs(theory[part] / truth[part] - 1) < 0.05) && kernel < 0.1;
const rows = known
  .filter(({ truth }) => truth)
  .map((one) => {
    const {
      digits,
      points,
      width,
      temperature,
      activation,
      truth,
      truthError,
      theory,
      effectiveAction,
      infinite,
      kernel,
      aligned,
      warned,
    } = one;
    const ratio = (part) => (theory[part] / truth[part]).toFixed(3);
    const error = (part) => (truthError[part] / truth[part]).toFixed(3);
    const cells = [
      [...digits].join("/"),
      points,
      width,
      temperature,
      activation,
      `${ratio("bias")} ± ${error("bias")}`,
      `${ratio("variance")} ± ${error("variance")}`,
      `**${ratio("total")}** ± ${error("total")}`,
      kernel.toFixed(3),
      `${(effectiveAction.total / truth.total).toFixed(3)}, ${(infinite.total / truth.total).toFixed(3)}`,
      aligned ? `${aligned.none.toFixed(2)}, ${aligned.one.toFixed(2)}` : "–",
      `${hit(one) ? "hit" : "**miss**"}${warned ? ", w" : ""}`,
      one.seconds.toFixed(1),
    ];
    return `| ${cells.join(" | ")} |`;
  });
const timed = known.filter((one) => one.timed);
if (known.length > 0)
  replaceBlock("docs/theories/expectation-propagation.md", "fresh-pairs", [
    "| digits | P | N | T | φ | bias | variance | **sum** | kernel | GE, infinite width: sum | p₀, p₁ | | s |",
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ...rows,
    ...timed.map(({ points, width, seconds }) => `\nP = ${points}, N = ${width}, digits 0/1: ${seconds.toFixed(1)} s of processor time.`),
  ]);
