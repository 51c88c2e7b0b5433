// What `finitewidth run` costs beside its method: 1000 digits of MNIST and 500 predictions, no referee, one thread. CPU seconds of the
// whole command (a process of its own) and, in another process, of fit, predictions and all that the result holds, both cold; least of
// several tries each, in turn. Usage: node bench-command.mjs [tries, default 5]
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const dense = (widths) => ({ type: "fully-connected", widths, activation: "erf" });
const data = { dataset: "mnist", classes: [0, 1], train: 1000, test: 500 };
const experiment = (network, method) => ({ data, network, likelihood: { temperature: 0.01 }, methods: [method], referee: false, seed: 1 });
const cases = {
  "infinite width": experiment(dense([500]), "nngp"),
  "effective action, one layer": experiment(dense([500]), "effective-action"),
  "effective action, three layers": experiment(dense([500, 500, 500]), "effective-action"),
};

const self = fileURLToPath(import.meta.url);
const packages = new URL("../packages/", import.meta.url);
const secondsOf = ({ user, system }) => (user + system) / 1e6;

/** In a process of its own: CPU seconds of the method alone. */
async function methodAlone(file) {
  const { loadRegistry } = await import(new URL("cli/dist/builtin-registry.js", packages));
  const { planExperiment, runPlan } = await import(new URL("experiment/dist/index.js", packages));
  const { inlineRun } = await import(new URL("core/dist/index.js", packages));
  const registry = await loadRegistry([], ".", { allowPaths: false });
  const plan = await planExperiment(JSON.parse(readFileSync(file, "utf8")), { registry });
  // the numbers of the images, which the command counts with its data
  for (const { inputs } of [plan.data.train, plan.data.test]) void inputs.data.length;
  const before = process.cpuUsage();
  await runPlan(plan, inlineRun({ registry, seed: 1 }));
  console.log(secondsOf(process.cpuUsage(before)));
}

/** CPU seconds of a child that has ended, by what it cost this process's children. */
function commandCost(file, out) {
  const report = join(out, "..", "cost.json");
  const preload = `data:text/javascript,import{writeFileSync}from"node:fs";process.on("exit",()=>writeFileSync(${JSON.stringify(report)},JSON.stringify(process.cpuUsage())))`;
  const command = fileURLToPath(new URL("cli/bin/finitewidth.mjs", packages));
  const { status, stderr } = spawnSync(
    process.execPath,
    ["--import", preload, command, "run", file, "--out", out, "--workers", "1", "--quiet"],
    { encoding: "utf8" },
  );
  if (status !== 0) throw new Error(stderr);
  return secondsOf(JSON.parse(readFileSync(report, "utf8")));
}

if (process.argv[2] === "--method") await methodAlone(process.argv[3]);
else {
  const tries = Number(process.argv[2] ?? 5);
  const folder = mkdtempSync(join(tmpdir(), "finitewidth-command-"));
  try {
    console.log(`${cpus()[0].model}, Node ${process.version}; least of ${tries}, CPU seconds`);
    for (const [name, content] of Object.entries(cases)) {
      const file = join(folder, "experiment.json");
      writeFileSync(file, JSON.stringify(content));
      let [command, method] = [Infinity, Infinity];
      for (let k = 0; k < tries; k++) {
        command = Math.min(command, commandCost(file, join(folder, "out")));
        method = Math.min(method, Number(execFileSync(process.execPath, [self, "--method", file], { encoding: "utf8" })));
      }
      console.log(`${name}: command ${command.toFixed(2)}, method ${method.toFixed(2)}, ratio ${(command / method).toFixed(2)}`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
