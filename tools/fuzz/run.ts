// Feeds hostile files to every parser and random small experiments to every theory. Prints seeds; a failure shrinks to its smallest case
// and prints the seed and path that bring it back. Usage: npm run fuzz [-- --scale 0.1] [-- --seed 7]
import { parseArgs } from "node:util";
import * as fc from "fast-check";
import { experimentChecks } from "./experiments.ts";
import { parserChecks } from "./parsers.ts";

/** At scale 1. */
const parserInputs = 100_000;
const experiments = 2000;

const { values } = parseArgs({
  options: { scale: { type: "string", default: "1" }, seed: { type: "string" }, only: { type: "string", default: "" } },
});
const scale = Number(values.scale);
const seed = values.seed === undefined ? Date.now() % 2 ** 31 : Number(values.seed);
if (!(scale > 0) || !Number.isSafeInteger(seed)) throw new Error("--scale: a positive number, --seed: an integer");

console.log(`seed ${seed}, scale ${scale}`);
let [passed, failed] = [0, 0];
for (const [total, checks] of [
  [parserInputs, parserChecks],
  [experiments, experimentChecks],
] as const) {
  for (const { name, share, property } of checks) {
    if (!name.includes(values.only)) continue;
    const numRuns = Math.max(1, Math.round(total * share * scale));
    const started = performance.now();
    const outcome = await fc.check(property as fc.IRawProperty<unknown>, { numRuns, seed, verbose: false });
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    if (outcome.failed) {
      failed++;
      console.error(
        `✗ ${name} (${seconds} s, run ${outcome.numRuns} of ${numRuns})\n${fc.defaultReportMessage(outcome)}\n${String((outcome.errorInstance as Error | null)?.stack ?? "")}`,
      );
    } else {
      passed++;
      console.log(`✓ ${name}: ${numRuns} (${seconds} s${outcome.numSkips > 0 ? `, ${outcome.numSkips} more did not apply` : ""})`);
    }
  }
}
console.log(`fuzz, seed ${seed}: ${passed} checks passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
