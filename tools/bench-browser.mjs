// The WebAssembly backend in a Vite build in Chromium, with and without cross-origin isolation: which backends there are, that they agree,
// the size of the bundle. Fails when one of these is not as promised. Usage: node bench-browser.mjs [path of chromium, default
// /usr/bin/chromium]
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { chromium } from "playwright-core";
import { build } from "vite";

const bundleLimit = 150_000;
const root = join(dirname(fileURLToPath(import.meta.url)), "bench-browser");
const outDir = mkdtempSync(join(tmpdir(), "linalg-bundle-"));
await build({
  root,
  logLevel: "warn",
  resolve: { conditions: ["@finitewidth/source"] },
  build: { target: "es2022", outDir, emptyOutDir: true },
});
const assets = readdirSync(join(outDir, "assets")).map((name) => readFileSync(join(outDir, "assets", name)));
const bytes = assets.reduce((sum, asset) => sum + asset.length, 0);
console.log(`bundle: ${bytes} bytes, ${assets.reduce((sum, asset) => sum + gzipSync(asset).length, 0)} compressed`);
const problems = bytes > bundleLimit ? [`the bundle has ${bytes} bytes, more than ${bundleLimit}`] : [];

const browser = await chromium.launch({ executablePath: process.argv[2] ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
for (const isolated of [false, true]) {
  const headers = isolated ? { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" } : {};
  const server = createServer((request, response) => {
    const path = request.url === "/" ? "index.html" : request.url.slice(1);
    try {
      const body = readFileSync(join(outDir, path));
      response.writeHead(200, { "content-type": path.endsWith(".js") ? "text/javascript" : "text/html", ...headers }).end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const page = await browser.newPage();
  page.on("pageerror", (error) => problems.push(`page: ${error.message}`));
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
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
rmSync(outDir, { recursive: true });
for (const problem of problems) console.error(problem);
process.exitCode = problems.length > 0 ? 1 : 0;
