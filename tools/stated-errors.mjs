// How many networks keep to the errors that `effective-action` states, by the largest order parameter: sampled networks with one hidden
// layer over widths, noise, targets and kernels. Usage: node tools/stated-errors.mjs [--activation erf]…. Needs a build; some 1.6 s of
// processor time a network, 108 an activation.
import { parseArgs } from "node:util";
import { createRegistry, inlineRun, validate } from "../packages/core/dist/index.js";
import { family, fullyConnected } from "../verification/dist/scenario-family.js";
import { runVerification, standardPlugins } from "../verification/dist/index.js";

const { values } = parseArgs({ options: { activation: { type: "string", multiple: true, default: ["erf", "relu"] } } });
/** Points and widths, temperatures, sizes of targets, variances of weights; every how many of them is sampled. */
const grids = [
  {
    sizes: [
      [8, 16],
      [16, 16],
      [16, 8],
      [24, 6],
    ],
    temperatures: [0.05, 0.1, 0.4],
    scales: [0.7, 1.3, 2],
    variances: [
      [1.3, 1.4],
      [0.3, 3],
    ],
    seed: 500,
    every: 1,
  },
  {
    sizes: [
      [8, 8],
      [12, 12],
      [16, 16],
      [16, 8],
    ],
    temperatures: [0.8, 1.6],
    scales: [1.4, 2, 2.6],
    variances: [
      [1.3, 1.4],
      [0.5, 1],
      [0.2, 4],
    ],
    seed: 1500,
    every: 2,
  },
];
const bounds = [1.5, 2.5, Infinity];
const registry = createRegistry(standardPlugins);
const run = inlineRun({ registry, seed: 1 });
const theory = registry.theory("effective-action", "theories");

/** Deviation of a claim beyond twice its sampling error, as a fraction of the error that it states. */
function excess({ comparisons: [{ claimed, sampled, standardError }], error }) {
  const size = Math.max(...claimed.map(Math.abs));
  const over = claimed.map((value, k) => Math.abs(value - sampled[k]) - 2 * standardError[k]);
  return Math.max(0, ...over) / (size * error.relative);
}

for (const activation of values.activation) {
  const found = new Map();
  for (const { sizes, temperatures, scales, variances, seed, every } of grids) {
    let number = 0;
    for (const [points, width] of sizes)
      for (const temperature of temperatures)
        for (const scale of scales)
          for (const variance of variances) {
            if (++number % every !== 0) continue;
            const networks = family({
              name: `${points} points, ${width} units`,
              theories: [{ name: "effective-action" }],
              network: fullyConnected(activation, [width], variance),
              points,
              features: (seed + number) % 3 ? 8 : points,
              temperature,
              targetScale: () => scale,
              sampling: { kind: "chains", chains: 4, draws: 600, warmup: 300 },
              seed: seed + number,
            });
            const { claims } = await runVerification({ suite: "full", families: [networks] }, run);
            const { orderParameter } = await theory.fit(networks.build(1).problem, validate(theory.options, { draws: 0 }, "options"), run);
            const column = bounds.findIndex((bound) => orderParameter <= bound);
            for (const claim of claims) {
              const row = found.get(claim.id) ?? bounds.map(() => []);
              row[column].push(excess(claim));
              found.set(claim.id, row);
            }
          }
  }
  console.log(`| ${activation} | Q ≤ 1.5 | Q ≤ 2.5 | larger Q |\n| --- | --- | --- | --- |`);
  for (const [id, row] of found) {
    const cells = row.map((all) => `${all.filter((x) => x <= 1).length} of ${all.length}, worst ${Math.max(...all).toFixed(1)} ×`);
    console.log(`| ${id} | ${cells.join(" | ")} |`);
  }
}
