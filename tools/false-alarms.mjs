// How often right claims are rejected: claims of the quick suite over several seeds of the sampled networks.
// Usage: node tools/false-alarms.mjs [--seeds 20] [--from 1] [--filter TEXT]… [--workers N]; status 1 when more than one claim in a hundred
// is rejected. Needs a build. A whole suite is some 470 s of processor time a seed; filters choose part of it.
import { execFileSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { commandLine, temporaryFolder } from "./workspace.mjs";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "20" },
    from: { type: "string", default: "1" },
    filter: { type: "string", multiple: true, default: [""] },
    workers: { type: "string", default: "1" },
  },
});
const folder = temporaryFolder("finitewidth-false-alarms-");
const alarms = [];
const claims = new Map();
let judged = 0;
let numbers = 0;
for (let seed = Number(values.from); seed < Number(values.from) + Number(values.seeds); seed++) {
  for (const filter of values.filter) {
    const out = join(folder, String(seed));
    const asked = ["verify", "--seed", String(seed), "--out", out, "--quiet", "--workers", values.workers];
    try {
      execFileSync(process.execPath, [commandLine, ...asked, ...(filter === "" ? [] : ["--filter", filter])], {
        stdio: ["ignore", "ignore", "inherit"],
      });
    } catch (error) {
      // status 1: claims were rejected, or had no power; the report says which
      if (error.status !== 1) throw error;
    }
    const report = JSON.parse(readFileSync(join(out, "report.json"), "utf8"));
    for (const failure of report.failures) alarms.push(`seed ${seed}: ${failure.theory} / ${failure.scenario}: ${failure.reason}`);
    for (const claim of report.claims) {
      const name = `${claim.theory} / ${claim.scenario} / ${claim.id}`;
      judged++;
      numbers += claim.comparisons[0].claimed.length;
      const scores = claims.get(name) ?? [];
      scores.push(claim.verdict.slope ? Number.NaN : claim.verdict.score);
      claims.set(name, scores);
      if (!claim.verdict.agrees) alarms.push(`seed ${seed}: ${name} (score ${claim.verdict.score.toFixed(2)})`);
    }
    rmSync(out, { recursive: true, force: true });
  }
  console.log(`seed ${seed}: ${judged} verdicts, ${alarms.length} alarms`);
}
const worst = [...claims].map(([name, scores]) => [Math.max(...scores.filter(Number.isFinite)), name]).sort(([a], [b]) => b - a);
console.log(`${claims.size} claims, ${values.seeds} seeds: ${alarms.length} of ${judged} verdicts are alarms; ${numbers} numbers compared`);
for (const [score, name] of worst.slice(0, 5)) console.log(`  largest score ${score.toFixed(2)}: ${name}`);
for (const alarm of alarms) console.log(`✗ ${alarm}`);
process.exitCode = alarms.length > 0.01 * judged ? 1 : 0;
