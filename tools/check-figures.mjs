// Computes every figure at quick size and checks it: what the paper reports is shown, every check fails when the physics is off, and all
// together stay within a budget of processor time. Usage: node tools/check-figures.mjs [folder]
import { spawnSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { figureChecks } from "@finitewidth/core/conformance";
import { plugin } from "@finitewidth/figures";
import { commandLine, root } from "./workspace.mjs";

/** Seconds of processor time, all figures together. */
const budget = 300;

const folder = process.argv[2] ?? join(root, "artefacts", "figures");
rmSync(folder, { recursive: true, force: true });
const { status } = spawnSync(process.execPath, [commandLine, "reproduce", "--all", "--no-open", "--out", folder], { stdio: "inherit" });
let failed = status === 0 ? 0 : 1;
let seconds = 0;
for (const figure of plugin.figures) {
  const { numbers, processorSeconds } = JSON.parse(readFileSync(join(folder, figure.name, "figure.json"), "utf8"));
  seconds += processorSeconds;
  for (const { name, run } of figureChecks(figure, numbers)) {
    try {
      await run();
    } catch (error) {
      failed += 1;
      console.error(`✗ ${figure.name}, ${name}: ${error.message}`);
    }
  }
}
console.log(`${plugin.figures.length} figures, ${seconds.toFixed(0)} s of processor time, at most ${budget}`);
process.exit(failed === 0 && seconds <= budget ? 0 : 1);
