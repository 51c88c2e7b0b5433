// Sampled evidence and its gradient against exact values, 30 seeds a network; the table goes to docs/theories/evidence.md.
// Usage: node --conditions @finitewidth/source --import ./ts-preload.mjs evidence-seeds.mjs [--seconds S]
// (nx run @finitewidth/tools:evidence-seeds); finished seeds are kept in results/evidence-seeds.jsonl and taken from there.
import { readFileSync } from "node:fs";
import { createRegistry, inlineRun, matrixFromRows, resolveNetworkInput } from "@finitewidth/core";
import { loadDataset } from "@finitewidth/datasets";
import { logEvidence } from "@finitewidth/monte-carlo";
import { standardPlugins } from "@finitewidth/verification";
import { studentQuantile } from "@finitewidth/numerics";
import { processorTime, replaceBlock, resumable } from "./resumable.mjs";

const seeds = 30;
const registry = createRegistry(standardPlugins);
const { cases } = JSON.parse(
  readFileSync(new URL("../verification/fixtures/evidence-trust/log-evidence-linear.json", import.meta.url), "utf8"),
);

const problemOf = (network, inputs, targets, temperature) => ({
  network: resolveNetworkInput({ type: "fully-connected", ...network }, registry),
  inputs,
  targets,
  temperature,
  scaling: "standard",
});

/** A deep linear network of the fixture, or "digits": MNIST 0 and 1, P = N = 100, erf. */
async function problemAt(network) {
  if (network === "digits") {
    const { train } = await loadDataset({ dataset: "mnist", classes: [0, 1], train: 100, test: 10, labels: "sign", seed: 1 });
    return problemOf({ widths: [100], activation: "erf" }, train.inputs, train.targets, 0.05);
  }
  const { X, y, T, widths } = cases[network].inputs;
  return problemOf({ widths, activation: "identity" }, matrixFromRows(X), matrixFromRows(y.map((value) => [value])), T);
}

async function sampleSeed({ network, seed }) {
  const problem = await problemAt(network);
  const exact = cases[network]?.expected;
  const started = { wall: performance.now(), processor: processorTime() };
  const found = await logEvidence(problem, { gradients: exact !== undefined }, inlineRun({ registry, seed }));
  const { gradient, standardError, converged, diagnostics } = found;
  const score = (value, error, truth) => (value - truth) / error;
  return {
    value: found.logEvidence,
    standardError,
    converged,
    gradients: diagnostics.gradients,
    processor: processorTime() - started.processor,
    wall: (performance.now() - started.wall) / 1000,
    ...(exact && {
      score: score(found.logEvidence, standardError, exact.logEvidence),
      // without biases the layers of a linear network have one and the same score, draw by draw
      variance: score(gradient.logWeightVariance[0], gradient.standardError.logWeightVariance[0], exact.dLogSw2),
      temperature: score(gradient.logTemperature, gradient.standardError.logTemperature, exact.dLogT),
      widths: gradient.widths.map((width, l) => score(width, gradient.standardError.widths[l], exact.logRatioWider[l])),
      widthErrors: gradient.standardError.widths,
    }),
  };
}

const wanted = [...cases.keys()].flatMap((network) => Array.from({ length: seeds }, (_, k) => ({ network, seed: k + 1 })));
wanted.unshift(...[1, 2, 3].map((seed) => ({ network: "digits", seed })));
const known = await resumable("evidence-seeds", wanted, sampleSeed);

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const root = (values) => Math.sqrt(mean(values.map((value) => value ** 2))).toFixed(2);
const rows = [...cases.keys()].flatMap((network) => {
  const runs = known.filter((one) => one.network === network);
  if (runs.length === 0) return [];
  const { X, widths } = cases[network].inputs;
  const scores = runs.map(({ score }) => score);
  const covered = scores.filter((score) => Math.abs(score) < studentQuantile(0.975, 7)).length;
  const layers = widths.map((_, l) => root(runs.map((one) => one.widths[l])));
  const bars = widths.map((_, l) => mean(runs.map((one) => one.widthErrors[l])).toPrecision(1));
  return [
    [
      `P = ${X.length}, N = ${widths.length > 1 ? `(${widths.join(", ")})` : widths[0]}`,
      `${runs.length}`,
      `${Math.round(mean(runs.map((one) => one.gradients)) / 1000)} 000`,
      `± ${mean(runs.map((one) => one.standardError)).toFixed(2)}`,
      `${root(scores)}; ${mean(scores).toFixed(2)}`,
      `${covered} of ${runs.length}`,
      root(runs.map(({ variance }) => variance)),
      root(runs.map(({ temperature }) => temperature)),
      `${layers.join(", ")}; ± ${bars.join(", ")}`,
    ],
  ];
});
const digits = known.filter(({ network }) => network === "digits");
const list = (key, digitsAfter) => digits.map((one) => one[key].toFixed(digitsAfter)).join(", ");
replaceBlock("docs/theories/evidence.md", "seeds", [
  "| deep linear, exact values | seeds | gradients | evidence: mean error bar | rms score; mean | within the 95 % interval | log σ_w² | log T | log Z_{N+1}/Z_N by layer, error bars |",
  "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
  ...rows.map((cells) => `| ${cells.join(" | ")} |`),
  "",
  `MNIST digits 0 and 1, P = N = 100, erf, T = 0.05, seed ${digits.map(({ seed }) => seed).join(", ")}: ${list("value", 2)} nats ± ${list("standardError", 2)}, in ${list("processor", 1)} s of processor time and ${list("wall", 1)} s on the clock, one thread.`,
]);
