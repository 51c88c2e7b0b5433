// Gradients per second of the posterior sampler, N0 = 100, N = 200, erf, against the same density in NumPy, in alternating rounds.
// Run: node --conditions @finitewidth/source --import ../../tools/ts-preload.mjs bench/throughput.ts [P, by default 100]   (PYTHON: an
// interpreter with numpy and scipy, by default /usr/bin/python3)
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { createProblem, createRegistry, resolveArchitecture } from "@finitewidth/core";
import { plugin as activations } from "@finitewidth/activations";
import { plugin as fullyConnected } from "@finitewidth/prior-fc";
import { realise } from "@finitewidth/kernels";
import { stream } from "@finitewidth/random";
import { collapsedDensity, fullDensity, type SamplingProblem } from "../src/index.js";

const [P, N0, N] = [Number(process.argv[2] ?? 100), 100, 200];
const registry = createRegistry([activations, fullyConnected]);
const random = stream(1);
const normal = (rows: number, columns: number) => ({
  data: random.normals(new Float64Array(rows * columns)),
  shape: [rows, columns] as const,
});
const problem = createProblem(
  { network: { type: "fully-connected", widths: [N], activation: "erf" }, inputs: normal(P, N0), targets: normal(P, 1), temperature: 0.1 },
  registry,
);
const sampling: SamplingProblem = {
  network: realise(resolveArchitecture(registry, problem.network), problem.inputs, 1),
  targets: problem.targets,
  temperature: problem.temperature,
  readoutBias: 0,
};

/** Gradients per second of CPU time, over about a second. */
function rate(density: ReturnType<typeof fullDensity>): number {
  const theta = random.normals(new Float64Array(density.dimension));
  const gradient = new Float64Array(density.dimension);
  for (let i = 0; i < 50; i++) density.evaluate(theta, gradient);
  const start = process.cpuUsage();
  let count = 0;
  for (const until = performance.now() + 1000; performance.now() < until; count++) density.evaluate(theta, gradient);
  const { user, system } = process.cpuUsage(start);
  return (1e6 * count) / (user + system);
}
const numpy = (kind: string): number =>
  Number(
    execFileSync(process.env["PYTHON"] ?? "/usr/bin/python3", [fileURLToPath(new URL("throughput.py", import.meta.url)), kind, String(P)], {
      encoding: "utf8",
      env: { ...process.env, OPENBLAS_NUM_THREADS: "1" },
    }),
  );
const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;

for (const [kind, density] of [
  ["full", fullDensity(sampling)],
  ["collapsed", collapsedDensity(sampling)],
] as const) {
  const rounds = Array.from({ length: 5 }, () => ({ ours: rate(density), theirs: numpy(kind) }));
  const [ours, theirs] = [median(rounds.map((round) => round.ours)), median(rounds.map((round) => round.theirs))];
  console.log(`${kind}: ${ours.toFixed(0)} gradients/s here, ${theirs.toFixed(0)} in NumPy, ratio ${(ours / theirs).toFixed(2)}`);
}
