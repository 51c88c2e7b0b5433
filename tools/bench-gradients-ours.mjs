// Our side of the comparison of gradients: warm CPU seconds of one gradient of the sampler's log posterior on digits, of all whitened
// parameters ("full") and with the readout integrated out ("collapsed"). node bench-gradients-ours.mjs DATA.npz [native | turbo] prints one
// JSON object a line.
import { readFile } from "node:fs/promises";
import { plugin as activations } from "@finitewidth/activations";
import { createRegistry } from "@finitewidth/core";
import { decodeNpz } from "@finitewidth/core/npz";
import { finiteFullyConnected } from "@finitewidth/kernels";
import { backend, createTurboWasmBackend, setBackend } from "@finitewidth/linalg";
import { createNativeBackend, nativeProblem } from "@finitewidth/linalg-native";
import { collapsedDensity, fullDensity } from "@finitewidth/monte-carlo";

const [file, wanted] = process.argv.slice(2);
const say = (line) => console.log(JSON.stringify(line));
const cpu = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};
const { arrays } = decodeNpz(new Uint8Array(await readFile(file)), file);
const head = (m, n) => ({ data: m.data.slice(0, n * m.shape[1]), shape: [n, m.shape[1]] });

if (wanted !== undefined) {
  const other = wanted === "native" ? createNativeBackend() : createTurboWasmBackend();
  if (other === undefined) {
    say({ skipped: `no ${wanted} backend: ${wanted === "native" ? nativeProblem() : "nothing to gain on this version of Node"}` });
    process.exit(0);
  }
  setBackend(other);
}
const activation = createRegistry([activations]).activation("erf", "activation");
/** θ that both sides know: sines, of about the size of standard normals. */
const parameters = (count) => Float64Array.from({ length: count }, (_, i) => Math.SQRT2 * Math.sin(i + 1));

for (const [points, width, depth] of [
  [60, 20, 1],
  [60, 20, 2],
  [200, 100, 1],
  [200, 100, 2],
  [1000, 500, 1],
  [1000, 500, 2],
]) {
  const widths = Array.from({ length: depth }, () => width);
  const ones = Array.from({ length: depth + 1 }, () => 1);
  const chain = { activation, widths, weightVariance: ones, biasVariance: ones.map(() => 0) };
  const network = finiteFullyConnected(chain, head(arrays.x, points), 1);
  const problem = { network, targets: head(arrays.y, points), temperature: 0.1, readoutBias: 0 };
  for (const [name, density] of Object.entries({ full: fullDensity(problem), collapsed: collapsedDensity(problem) })) {
    const theta = parameters(density.dimension);
    const gradient = new Float64Array(density.dimension);
    const start = cpu();
    let value = density.evaluate(theta, gradient);
    const cold = cpu() - start;
    const times = Math.max(3, Math.ceil(0.15 / Math.max(cold, 1e-4)));
    let seconds = Infinity;
    for (let round = 0; round < 6; round++) {
      const from = cpu();
      for (let i = 0; i < times; i++) value = density.evaluate(theta, gradient);
      seconds = Math.min(seconds, (cpu() - from) / times);
    }
    const task = `gradient, ${name}, P = ${points}, N = ${widths.join(", ")}`;
    say({ task, backend: backend().name, seconds, cold, values: [value, gradient[0], gradient[width * 784 - 300]] });
  }
}
