// Networks that verdicts of the referee are held against, a fraction of a grid of data, activations, sizes and depths, and what every
// theory says about each of them.
import { createRegistry, fit } from "@finitewidth/core";
import { loadDataset } from "@finitewidth/datasets";
import { stream } from "@finitewidth/random";
import { standardPlugins } from "@finitewidth/verification";

export const registry = createRegistry(standardPlugins);
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

export function cases() {
  const at = process.argv.indexOf("--only");
  const wanted = at < 0 ? [] : process.argv[at + 1].split(",").map((pair) => pair.split("="));
  const keys = ["data", "activation", "points", "width", "depth", "outputs"];
  return ["tuning", "held-out"]
    .flatMap((half, h) =>
      design.map((pair, k) => ({ ...Object.fromEntries(keys.map((key, i) => [key, pair[h][i]])), seed: 700 + 2 * k + h, half })),
    )
    .filter((one) => wanted.every(([key, value]) => String(one[key]) === value));
}

export async function dataOf({ data, points, outputs, seed }) {
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
export async function answers(one) {
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
