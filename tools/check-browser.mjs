// Installs prior-conv + posterior from tarballs, bundles the convolution example with Vite and runs it in headless Chromium, with and without
// cross-origin isolation. Usage: node tools/check-browser.mjs (needs Chromium; CHROMIUM names it, default /usr/bin/chromium)
import { createServer } from "node:http";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { chromium } from "playwright-core";
import { build } from "vite";
import { install, packAll } from "./pack.mjs";

const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
if (!existsSync(executablePath)) {
  console.error(`✗ no Chromium at ${executablePath}; install it or set CHROMIUM`);
  process.exit(1);
}
const work = mkdtempSync(join(tmpdir(), "finitewidth-browser-"));
let failed = false;
try {
  install(work, ["@finitewidth/prior-conv", "@finitewidth/posterior"], packAll(join(work, "tarballs")));
  const readme = readFileSync(join(work, "node_modules/@finitewidth/prior-conv/README.md"), "utf8");
  const example = [...readme.matchAll(/```(?:ts|js)\n([\s\S]*?)```/g)].map((match) => match[1]).find((text) => text.includes("@finitewidth/posterior"));
  if (example === undefined) throw new Error("prior-conv: README has no example with @finitewidth/posterior");
  writeFileSync(join(work, "main.ts"), `${example}\nconsole.log("finished");\n`);
  writeFileSync(join(work, "index.html"), '<!doctype html><script type="module" src="/main.ts"></script>');
  await build({ root: work, logLevel: "warn", build: { target: "es2022", outDir: "out" } });

  for (const isolated of [true, false]) {
    const server = createServer((request, response) => {
      const file = join(work, "out", request.url === "/" ? "index.html" : request.url);
      if (!existsSync(file) || !statSync(file).isFile()) return response.writeHead(404).end();
      const headers = { "content-type": { ".html": "text/html", ".js": "text/javascript" }[extname(file)] ?? "application/octet-stream" };
      if (isolated) Object.assign(headers, { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" });
      response.writeHead(200, headers).end(readFileSync(file));
    });
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync"] });
    const page = await browser.newPage();
    const lines = [];
    const finished = new Promise((resolve, reject) => {
      page.on("console", (message) => (message.text() === "finished" ? resolve() : lines.push(message.text())));
      page.on("pageerror", reject);
      setTimeout(() => reject(new Error("the page did not finish within 60 s")), 60_000).unref();
    });
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    await finished;
    console.log(`✓ Chromium ${isolated ? "with" : "without"} cross-origin isolation: ${lines.at(-1)}`);
    await browser.close();
    server.close();
  }
} catch (error) {
  failed = true;
  console.error(`✗ ${error.stack ?? error}`);
} finally {
  rmSync(work, { recursive: true, force: true });
}
process.exit(failed ? 1 : 0);
