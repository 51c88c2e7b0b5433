// The WebAssembly backend in a Vite build in Chromium, with and without cross-origin isolation: which backends there are, that they agree,
// the size of the bundle. Fails when one of these is not as promised. Usage: node bench-browser.mjs; CHROMIUM names one elsewhere.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "vite";
import { launch, serveFolder } from "./chromium.mjs";
import { finish, problems } from "./problems.mjs";
import { temporaryFolder } from "./workspace.mjs";

const bundleLimit = 150_000;
const root = join(import.meta.dirname, "bench-browser");
const outDir = temporaryFolder("linalg-bundle-");
await build({
  root,
  logLevel: "warn",
  resolve: { conditions: ["@finitewidth/source"] },
  build: { target: "es2022", outDir, emptyOutDir: true },
});
const assets = readdirSync(join(outDir, "assets")).map((name) => readFileSync(join(outDir, "assets", name)));
const bytes = assets.reduce((sum, asset) => sum + asset.length, 0);
console.log(`bundle: ${bytes} bytes, ${assets.reduce((sum, asset) => sum + gzipSync(asset).length, 0)} compressed`);
if (bytes > bundleLimit) problems.push(`the bundle has ${bytes} bytes, more than ${bundleLimit}`);

const browser = await launch();
for (const isolated of [false, true]) {
  const server = await serveFolder(outDir, { isolated });
  const page = await browser.newPage();
  page.on("pageerror", (error) => problems.push(`page: ${error.message}`));
  await page.goto(server.url);
  await page.waitForFunction("globalThis.result !== undefined", undefined, { timeout: 60_000 });
  const result = await page.evaluate("globalThis.result");
  console.log(JSON.stringify(result));
  if (!result.backend.startsWith("wasm-")) problems.push(`the default backend is ${result.backend}`);
  if (result.isolated !== isolated) problems.push(`isolation is ${result.isolated}`);
  if ((result.threaded !== "none") !== isolated) problems.push(`threads: ${result.threaded} with isolation ${isolated}`);
  if (!(result.differenceFromReference < 1e-11) || result.differenceFromThreads !== 0) problems.push("the backends disagree");
  server.close();
}
await browser.close();
finish("the bundle is as promised");
