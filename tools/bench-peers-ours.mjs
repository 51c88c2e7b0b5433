// Our side of the comparison with peers: warm CPU seconds of the tasks of bench-peers.py, fit and predictions through the public interface.
// node bench-peers-ours.mjs DATA.npz [native] writes the data where they are missing and prints one JSON object a line.
import { existsSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { plugin as activations } from "@finitewidth/activations";
import { createRegistry, fit } from "@finitewidth/core";
import { decodeNpz, encodeNpz } from "@finitewidth/core/npz";
import { loadMnist } from "@finitewidth/datasets";
import { effectiveAction, plugin as largeDeviations } from "@finitewidth/large-deviations";
import { backend, setBackend } from "@finitewidth/linalg";
import { createNativeBackend, nativeProblem } from "@finitewidth/linalg-native";
import { monteCarlo, plugin as sampling } from "@finitewidth/monte-carlo";
import { nngp, plugin as posterior } from "@finitewidth/posterior";
import { plugin as priorFc } from "@finitewidth/prior-fc";
import { stream } from "@finitewidth/random";

const [file, wanted] = process.argv.slice(2);
const say = (line) => console.log(JSON.stringify(line));
const cpu = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};

/** Digits, odd against even, for the first three tasks; random inputs and a teacher for the sampled one. */
async function makeData() {
  const [train, test] = [await loadMnist("train"), await loadMnist("test")];
  const images = ({ pixels }, n) => ({ data: Float64Array.from({ length: n * 784 }, (_, i) => (3 * pixels[i]) / 255), shape: [n, 784] });
  const labels = ({ labels }, n) => ({ data: Float64Array.from({ length: n }, (_, i) => (labels[i] % 2 ? 1 : -1)), shape: [n, 1] });
  const random = stream(7, 0);
  const normals = (rows, columns) => ({
    data: Float64Array.from({ length: rows * columns }, () => random.normal()),
    shape: [rows, columns],
  });
  const xs = normals(100, 20);
  const ys = { data: Float64Array.from({ length: 100 }, (_, i) => Math.sin(2 * xs.data[20 * i]) + 0.3 * random.normal()), shape: [100, 1] };
  return { x: images(train, 2000), y: labels(train, 2000), xt: images(test, 500), xs, ys, xst: normals(20, 20) };
}
if (!existsSync(file)) writeFileSync(file, encodeNpz(await makeData()));
const { arrays } = decodeNpz(new Uint8Array(await readFile(file)), file);
const head = (m, n) => ({ data: m.data.slice(0, n * m.shape[1]), shape: [n, m.shape[1]] });

if (wanted === "native") {
  const native = createNativeBackend();
  if (native === undefined) {
    say({ skipped: `no native backend: ${nativeProblem()}` });
    process.exit(0);
  }
  setBackend(native);
}
const registry = createRegistry([activations, priorFc, posterior, largeDeviations, sampling]);
const tasks = {
  nngp: { theory: nngp, widths: [500, 500, 500], points: 2000, values: ({ logEvidence }) => [logEvidence] },
  action: {
    theory: effectiveAction,
    widths: [500],
    points: 1000,
    options: { mode: "saddle" },
    values: ({ orderParameter }) => [orderParameter],
  },
  deep: { theory: effectiveAction, widths: [500, 500, 500], points: 500, values: ({ orderParameter }) => [...orderParameter.data] },
};
for (const [task, { theory, widths, points, options, values }] of Object.entries(tasks)) {
  const problem = {
    network: { type: "fully-connected", widths, activation: "erf" },
    inputs: head(arrays.x, points),
    targets: head(arrays.y, points),
    temperature: 0.01,
  };
  const seconds = [];
  let found;
  for (let round = 0; round < 4; round++) {
    const start = cpu();
    const { posterior: solved, predict } = await fit(theory, problem, { registry, options });
    const { mean, variance } = await predict(arrays.xt);
    seconds.push(cpu() - start);
    found = [...values(solved), mean.data[0], variance.data[0]];
  }
  say({ task, backend: backend().name, seconds: Math.min(...seconds.slice(1)), cold: seconds[0], values: found });
}

const problem = {
  network: { type: "fully-connected", widths: [50], activation: "erf" },
  inputs: arrays.xs,
  targets: arrays.ys,
  temperature: 0.1,
};
for (const integrator of ["leapfrog", "rotation"]) {
  const sample = async (seed, length = 150) => {
    const settings = { registry, seed, options: { chains: 2, warmup: length, draws: length, integrator } };
    const { predict } = await fit(monteCarlo, problem, settings);
    return (await predict(arrays.xst)).mean.data;
  };
  await sample(99, 20);
  const start = cpu();
  const means = [];
  for (let seed = 0; seed < 4; seed++) means.push(await sample(seed));
  const seconds = cpu() - start;
  let square = 0;
  let sum = 0;
  for (let j = 0; j < 20; j++) {
    const column = means.map((mean) => mean[j]);
    const centre = column.reduce((a, b) => a + b, 0) / 4;
    sum += centre / 20;
    square += column.reduce((a, b) => a + (b - centre) ** 2, 0) / 3 / 4 / 20;
  }
  say({ task: "sampling", backend: `${backend().name} ${integrator}`, seconds, cost: square * seconds, values: [sum] });
}
