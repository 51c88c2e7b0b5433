// `npm test`: boundaries, lint, types, builds and all tests; the last line is `N passed, N failed` with the true counts.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { root } from "./workspace.mjs";

const nx = join(root, "node_modules", "nx", "dist", "bin", "nx.js");
const folders = ["tools", "verification", ...readdirSync(join(root, "packages")).map((name) => `packages/${name}`)].filter((folder) =>
  existsSync(join(root, folder, "vitest.config.ts")),
);
for (const folder of folders) rmSync(join(root, folder, "test-results"), { recursive: true, force: true });

const run = spawnSync(
  process.execPath,
  [existsSync(nx) ? nx : join(root, "node_modules", "nx", "bin", "nx.js"), "run-many", "-t", "build", "test", ...process.argv.slice(2)],
  { cwd: root, stdio: "inherit" },
);

let passed = 0;
let failed = 0;
for (const folder of folders) {
  const file = join(root, folder, "test-results", "vitest.json");
  if (!existsSync(file)) {
    console.error(`${folder}: no test result`);
    failed += 1;
    continue;
  }
  const report = JSON.parse(readFileSync(file, "utf8"));
  passed += report.numPassedTests;
  // A file that does not load has no failing test of its own, yet it has failed.
  failed +=
    report.numFailedTests +
    report.testResults.filter((result) => result.status === "failed" && result.assertionResults.every((test) => test.status !== "failed"))
      .length;
}
if (run.status !== 0 && failed === 0) failed = 1;
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
