// Peak memory of whole methods beside what they count before they start, in arrays of P × P numbers: node bench.mjs --memory, or --memory=P
// for that many points in place of the numbers below. One process a method: the resident peak of fit and 50 predictions beyond that of the
// data, after a small problem of the same kind.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const cases = [
  { name: "nngp, three layers", theory: "nngp", widths: [500, 500, 500], points: 2000 },
  { name: "exact", theory: "exact", widths: [500], activation: "identity", points: 2000, features: 2000 },
  { name: "effective action", theory: "effective-action", widths: [500], points: 2000 },
  { name: "effective action, three layers", theory: "effective-action", widths: [500, 500, 500], points: 1300 },
  { name: "effective action, two ReLU layers", theory: "effective-action", widths: [500, 500], activation: "relu", points: 2000 },
  { name: "effective action, two outputs", theory: "effective-action", widths: [500], outputs: 2, points: 1600 },
  { name: "large deviations", theory: "large-deviation", widths: [100], activation: "identity", points: 1200, features: 1200 },
  { name: "first order in 1/N, linear", theory: "perturbative", widths: [100], activation: "identity", points: 1100 },
  { name: "forward–backward, linear", theory: "forward-backward", widths: [100], activation: "identity", points: 1500 },
];

async function measure({ theory, widths, activation = "erf", outputs = 1, points, features = 100, temperature = 0.1, options = {} }) {
  const [{ createRegistry, fit }, { stream }, ...plugins] = await Promise.all(
    ["core", "random", "activations", "prior-fc", "posterior", "large-deviations", "perturbation"].map(
      (part) => import(`@finitewidth/${part}`),
    ),
  );
  const registry = createRegistry(plugins.map(({ plugin }) => plugin));
  const found = registry.theory(theory, "method");
  const random = stream(3, 0);
  const normals = (rows, columns) => ({ data: random.normals(new Float64Array(rows * columns)), shape: [rows, columns] });
  const problem = (rows) => {
    const inputs = normals(rows, features);
    const targets = { data: Float64Array.from({ length: rows * outputs }, () => Math.sign(random.normal())), shape: [rows, outputs] };
    return { network: { type: "fully-connected", widths, activation }, inputs, targets, temperature };
  };
  const test = normals(50, features);
  const large = problem(points);
  await (await fit(found, problem(60), { registry, options })).predict(test);
  const kilobytes = (key) => Number(new RegExp(`${key}:\\s+(\\d+)`).exec(readFileSync("/proc/self/status", "utf8"))[1]);
  const real = process.availableMemory;
  process.availableMemory = () => 1;
  const refusal = await fit(found, large, { registry, options }).catch(({ message }) => message);
  process.availableMemory = real;
  writeFileSync("/proc/self/clear_refs", "5");
  const before = kilobytes("VmRSS");
  await (await fit(found, large, { registry, options })).predict(test);
  const peak = ((kilobytes("VmHWM") - before) * 1024) / (8 * points * points);
  console.log(JSON.stringify({ peak, counted: Number(/\(([\d.]+) arrays/.exec(refusal)?.[1]) }));
}

/** Prints one line a method. @param all points in place of each method's own */
export function compareMemory(all) {
  if (!existsSync("/proc/self/clear_refs")) {
    console.error("peaks are read from /proc, which is not here");
    process.exit(3);
  }
  for (const { points, features, ...rest } of cases) {
    const one = { ...rest, points: all ?? points, ...(features ? { features: all ?? features } : {}) };
    const preload = ["--conditions", "@finitewidth/source", "--import", join(here, "ts-preload.mjs")];
    const text = execFileSync(process.execPath, [...preload, join(here, "bench-memory.mjs"), JSON.stringify(one)], { encoding: "utf8" });
    const { peak, counted } = JSON.parse(text);
    console.log(`${one.name}, P = ${one.points}: ${peak.toFixed(2)} arrays, counted ${counted} (${(counted / peak).toFixed(2)} ×)`);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await measure(JSON.parse(process.argv[2]));
