// One benchmark process: whole fits with predictions at 500 points, on each backend in turn, interleaved round by round, CPU time on one
// thread; a ratio is the median of the per-round ratios to WebAssembly. Prints JSON. Started by bench.mjs.
import { createRegistry, fit } from "@finitewidth/core";
import { plugin as activations } from "@finitewidth/activations";
import { effectiveAction, plugin as largeDeviations } from "@finitewidth/large-deviations";
import { createWasmBackend, setBackend } from "@finitewidth/linalg";
import { createNativeBackend } from "@finitewidth/linalg-native";
import { createOpenBlasBackend } from "@finitewidth/linalg-native/openblas";
import { nngp, plugin as posterior } from "@finitewidth/posterior";
import { plugin as priorFc } from "@finitewidth/prior-fc";
import { stream } from "@finitewidth/random";

const quick = process.argv.includes("--quick");
const registry = createRegistry([activations, priorFc, posterior, largeDeviations]);
const random = stream(3);
const features = 784;
const rounds = 3;

/** Signs of a linear teacher on normal inputs. */
function task(theory, points, widths, options) {
  const normal = (rows) => ({ data: random.normals(new Float64Array(rows * features)), shape: [rows, features] });
  const [inputs, test, teacher] = [normal(points), normal(500), normal(1).data];
  const signs = Float64Array.from({ length: points }, (_, i) =>
    Math.sign(teacher.reduce((sum, weight, j) => sum + weight * inputs.data[i * features + j], 0)),
  );
  const problem = {
    network: { type: "fully-connected", widths, activation: "erf" },
    inputs,
    targets: { data: signs, shape: [points, 1] },
    temperature: 0.01,
  };
  return async () => {
    const { predict } = await fit(theory, problem, { registry, options });
    const { mean, variance } = await predict(test);
    return mean.data[0] + variance.data[0];
  };
}

const points = (count) => (quick ? count / 10 : count);
const [few, some, many] = [points(500), points(1000), points(2000)];
const tasks = {
  [`effective action at its saddle, one layer, P = ${some}`]: task(effectiveAction, some, [500], { mode: "saddle" }),
  [`effective action integrated, one layer, P = ${some}`]: task(effectiveAction, some, [500], {}),
  [`effective action, three layers, P = ${few}`]: task(effectiveAction, few, [500, 500, 500], {}),
  [`infinite width, three layers, P = ${many}`]: task(nngp, many, [500, 500, 500], {}),
};
const backends = Object.fromEntries(
  Object.entries({ wasm: createWasmBackend(), native: createNativeBackend(), openblas: createOpenBlasBackend() }).filter(
    ([, backend]) => backend !== undefined,
  ),
);

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

async function measure(run) {
  const times = Object.fromEntries(Object.keys(backends).map((name) => [name, []]));
  const values = {};
  for (let round = 0; round <= rounds; round++) {
    for (const [name, backend] of Object.entries(backends)) {
      const previous = setBackend(backend);
      const start = process.cpuUsage();
      values[name] = await run();
      const { user, system } = process.cpuUsage(start);
      setBackend(previous);
      // The first round warms up.
      if (round > 0) times[name].push((user + system) / 1e3);
    }
  }
  const entries = Object.entries(times);
  return {
    milliseconds: Object.fromEntries(entries.map(([name, list]) => [name, median(list)])),
    gain: Object.fromEntries(entries.map(([name, list]) => [name, median(list.map((value, i) => times.wasm[i] / value))])),
    apart: Math.max(...Object.values(values).map((value) => Math.abs(value - values.wasm))),
  };
}

const results = [];
for (const [name, run] of Object.entries(tasks)) results.push({ name, ...(await measure(run)) });
console.log(JSON.stringify(results));
