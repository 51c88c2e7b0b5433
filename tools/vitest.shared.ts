import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const condition = "@finitewidth/source";
const preload = fileURLToPath(new URL("./ts-preload.mjs", import.meta.url));

/** Vitest configuration of one package: tests run against the sources of all workspace packages, no build needed. */
export function packageTests(configUrl: string, overrides: { readonly testTimeout?: number } = {}) {
  return defineConfig({
    root: fileURLToPath(new URL(".", configUrl)),
    resolve: { conditions: [condition, "node", "import", "default"] },
    ssr: { resolve: { conditions: [condition, "node", "import", "default"], externalConditions: [condition] } },
    test: {
      include: ["test/**/*.test.ts"],
      testTimeout: overrides.testTimeout ?? 60_000,
      hookTimeout: 60_000,
      maxWorkers: 1,
      pool: "forks",
      // Worker threads and child processes started by a test load TypeScript sources through the same hook.
      execArgv: ["--conditions", condition, "--import", preload],
      reporters: ["default", ["json", { outputFile: "test-results/vitest.json" }]],
      passWithNoTests: false,
    },
  });
}
