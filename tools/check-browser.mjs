// Installs prior-conv + posterior from tarballs, bundles the convolution example with Vite, holds the bundle to its budget and runs it in
// headless Chromium, with and without cross-origin isolation; then the worker pool in pages (check-workers.mjs). Needs Chromium or Chrome;
// CHROMIUM names one elsewhere. Exit status 3: there is none. Usage: node tools/check-browser.mjs
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "vite";
import { checkWorkers } from "./check-workers.mjs";
import { findChromium, launch, serveFolder } from "./chromium.mjs";
import { install, packAll, run } from "./pack.mjs";
import { examplesOf, importsOf } from "./readme-examples.mjs";
import { temporaryFolder } from "./workspace.mjs";

/** Kilobytes of all scripts of the bundle, gzipped. */
const budget = 210; // with tasks named by plug-ins, input space and the count of memory: 207

/** Whether two outputs are the same text but for the last digits of their numbers. */
const sameNumbers = (a, b) => {
  const [x, y] = [a, b].map((text) =>
    text
      .split(/\s+/)
      .map((word) => (Number.isFinite(Number(word)) ? Number(word).toPrecision(9) : word))
      .join(" "),
  );
  return x === y;
};

const executablePath = findChromium();
const work = temporaryFolder("finitewidth-browser-");
let failed = false;
try {
  const tarballs = packAll(join(work, "tarballs"));
  await install(work, ["@finitewidth/prior-conv", "@finitewidth/posterior"], tarballs);
  const readme = readFileSync(join(work, "node_modules/@finitewidth/prior-conv/README.md"), "utf8");
  const example = examplesOf(readme).find((code) => importsOf(code).includes("@finitewidth/posterior"));
  if (example === undefined) throw new Error("prior-conv: README has no example with @finitewidth/posterior");
  writeFileSync(join(work, "main.ts"), `${example}\nconsole.log("finished");\n`);
  // Examples without type annotations are JavaScript too.
  writeFileSync(join(work, "main.mjs"), example);
  const inNode = run(process.execPath, ["main.mjs"], work).trim();
  writeFileSync(join(work, "index.html"), '<!doctype html><link rel="icon" href="data:,"><script type="module" src="/main.ts"></script>');
  await build({ root: work, logLevel: "warn", build: { target: "es2022", outDir: "out" } });
  const scripts = readdirSync(join(work, "out", "assets")).filter((name) => name.endsWith(".js"));
  const size = scripts.reduce((sum, name) => sum + gzipSync(readFileSync(join(work, "out", "assets", name))).length / 1000, 0);
  console.log(`bundle: ${size.toFixed(1)} kB gzipped, of ${budget} kB`);
  if (size > budget) throw new Error(`the bundle of ${size.toFixed(1)} kB exceeds its budget of ${budget} kB`);

  for (const isolated of [true, false]) {
    const server = await serveFolder(join(work, "out"), { isolated });
    const browser = await launch(executablePath);
    const page = await browser.newPage();
    const lines = [];
    const finished = new Promise((resolve, reject) => {
      page.on("console", (message) =>
        message.text() === "finished"
          ? resolve()
          : message.type() === "error"
            ? reject(new Error(message.text()))
            : lines.push(message.text()),
      );
      page.on("pageerror", reject);
      setTimeout(() => reject(new Error("the page did not finish within 60 s")), 60_000).unref();
    });
    await page.goto(server.url);
    await finished;
    if ((await page.evaluate(() => globalThis.crossOriginIsolated)) !== isolated)
      throw new Error(`the page is ${isolated ? "not " : ""}cross-origin isolated`);
    if (!sameNumbers(lines.join("\n"), inNode)) throw new Error(`Chromium printed ${lines.join("\n")}, Node ${inNode}`);
    console.log(`✓ Chromium ${isolated ? "with" : "without"} cross-origin isolation: ${lines.at(-1)}`);
    await browser.close();
    server.close();
  }
  const browser = await launch(executablePath);
  await checkWorkers(browser, join(work, "workers"), tarballs).finally(() => browser.close());
} catch (error) {
  failed = true;
  console.error(`✗ ${error.stack ?? error}`);
}
process.exit(failed ? 1 : 0);
