// The page: app/ and what tsc made of src/, bundled into page/. Data beside it are made by build-digits.mjs.
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { defineConfig } from "vite";

const here = import.meta.dirname;
const datasets = createRequire(join(here, "package.json")).resolve("@finitewidth/datasets");
const csvParse = dirname(dirname(dirname(createRequire(datasets).resolve("csv-parse/sync"))));

/** Workers choose the kernels that round as Node's do (worker.ts): the fused ones would be carried for nothing. */
const oneBuild = {
  name: "one-build",
  load: (id) => (id.endsWith("/generated/relaxed.wasm.js") ? 'export { simdModule as relaxedModule } from "./simd.wasm.js";' : undefined),
};

export default defineConfig({
  root: join(here, "app"),
  base: "./",
  publicDir: join(here, "dist/public"),
  // The build of csv-parse that needs nothing of Node.
  resolve: { alias: { "csv-parse/sync": join(csvParse, "dist/esm/sync.js") } },
  worker: { format: "es", plugins: () => [oneBuild] },
  build: {
    target: "es2022",
    outDir: join(here, "page"),
    emptyOutDir: true,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  logLevel: "warn",
});
