// What `finitewidth run` costs beside its method: 1000 digits of MNIST and 500 predictions, no referee, one thread. CPU seconds (user and
// system, all threads of a process, those that compile and collect garbage included), all cold, in turn, medians of several tries each.
// Numerator: the whole command, from Node's start to its end, with digits read and hashed, result.json, hidden-kernels.npz and report.html
// written. Two denominators, from a script that asks the packages of the library for the same numbers as their users do. Whole: from
// Node's start to its end; it loads the packages and reads the digits, and writes nothing. Method: its part from fit on: the first
// compilation of WebAssembly and of all JavaScript that runs, fit, predictions, and what a result holds of the training points (means,
// variances, learned kernels); not Node's start, not loading, not the digits, nothing written. What is left is fixed: on the machine of
// docs/benchmarks.md Node with an empty file and one empty thread take about a tenth of a second of it.
// Usage: node bench-command.mjs [tries, default 7]
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { commandLine, temporaryFolder } from "./workspace.mjs";

const dense = (widths) => ({ type: "fully-connected", widths, activation: "erf" });
const data = { dataset: "mnist", classes: [0, 1], train: 1000, test: 500 };
const experiment = (network, method) => ({ data, network, likelihood: { temperature: 0.01 }, methods: [method], referee: false, seed: 1 });
const cases = {
  "infinite width": experiment(dense([500]), "nngp"),
  "effective action, one layer": experiment(dense([500]), "effective-action"),
  "effective action, three layers": experiment(dense([500, 500, 500]), "effective-action"),
};

const self = fileURLToPath(import.meta.url);
const secondsOf = ({ user, system }) => (user + system) / 1e6;
const homes = { nngp: "@finitewidth/posterior", "effective-action": "@finitewidth/large-deviations" };

/** What a user of the library writes. */
async function asLibrary(file) {
  const { network, likelihood, methods } = JSON.parse(readFileSync(file, "utf8"));
  const { createRegistry, fit } = await import("@finitewidth/core");
  const [{ plugin: activations }, { plugin: priorFc }, { plugin: theories }, { loadDataset }] = await Promise.all([
    import("@finitewidth/activations"),
    import("@finitewidth/prior-fc"),
    import(homes[methods[0]]),
    import("@finitewidth/datasets"),
  ]);
  const { train: digits, test } = await loadDataset({ ...data, seed: 1 });
  const [inputs, tests] = [digits.inputs, test.inputs];
  // the numbers of the images are read where they are asked for: they belong to the data
  for (const { data: numbers } of [inputs, tests]) void numbers.length;
  const registry = createRegistry([activations, priorFc, theories]);
  const before = process.cpuUsage();
  const problem = { network, inputs, targets: digits.targets, temperature: likelihood.temperature };
  const { posterior, predict } = await fit(registry.theory(methods[0]), problem, { registry });
  const { mean, variance } = await predict(tests);
  const { train, hiddenKernels } = posterior;
  for (const numbers of [mean, variance, train.mean, train.variance, ...(hiddenKernels ?? [])])
    if (!Number.isFinite(numbers.data.at(-1))) throw new Error("no numbers");
  return secondsOf(process.cpuUsage(before));
}

/** CPU seconds of a process from its start to its end, as it tells itself at its end; and what it printed. */
function costOf(argv, folder) {
  const report = join(folder, "cost.json");
  const preload = join(folder, "cost.cjs");
  writeFileSync(
    preload,
    `process.on("exit", () => require("node:fs").writeFileSync(${JSON.stringify(report)}, JSON.stringify(process.cpuUsage())))`,
  );
  const { status, stdout, stderr } = spawnSync(process.execPath, ["--require", preload, ...argv], { encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
  return { seconds: secondsOf(JSON.parse(readFileSync(report, "utf8"))), printed: stdout };
}

const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];

if (process.argv[2] === "--library") console.log(await asLibrary(process.argv[3]));
else {
  const tries = Number(process.argv[2] ?? 7);
  const folder = temporaryFolder("finitewidth-command-");
  console.log(`${cpus()[0].model}, Node ${process.version}; medians of ${tries}, CPU seconds`);
  for (const [name, content] of Object.entries(cases)) {
    const file = join(folder, "experiment.json");
    writeFileSync(file, JSON.stringify(content));
    const [commands, scripts, methods] = [[], [], []];
    for (let k = 0; k < tries; k++) {
      commands.push(costOf([commandLine, "run", file, "--out", join(folder, "out"), "--workers", "1", "--quiet"], folder).seconds);
      const { seconds, printed } = costOf([self, "--library", file], folder);
      scripts.push(seconds);
      methods.push(Number(printed));
    }
    const [whole, script, method] = [commands, scripts, methods].map(median);
    const ratio = (reference) => (whole / reference).toFixed(2);
    console.log(
      `${name}: command ${whole.toFixed(2)}, script ${script.toFixed(2)} (ratio ${ratio(script)}), of it from fit on ${method.toFixed(2)} (ratio ${ratio(method)})`,
    );
  }
}
