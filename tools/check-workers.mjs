// The worker pool in pages: a production build and the development server of Vite 7 and 8, installed from tarballs, in headless Chromium.
// With a worker of its own, given plug-ins by name (one of them the page's, named by a URL inside the bundle), every page computes in
// workers; with the default worker in the development server; with the default worker in a bundle, which has no modules to import, it says
// so, computes in its own thread and never runs its own script in a worker. All agree with Node.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as vite7 from "vite-7";
import * as vite8 from "vite";
import { serveFolder } from "./chromium.mjs";
import { install, run } from "./pack.mjs";

const packages = ["activations", "core", "monte-carlo", "posterior", "prior-fc", "workers"].map((name) => `@finitewidth/${name}`);

const plugins = `import { plugin as activations } from "@finitewidth/activations";
import { plugin as monteCarlo } from "@finitewidth/monte-carlo";
import { plugin as posterior } from "@finitewidth/posterior";
import { plugin as priorFc } from "@finitewidth/prior-fc";
import { plugin as own } from "./own.js";

export const plugins = [activations, priorFc, posterior, monteCarlo, own];
`;
const own = `import { defineActivation } from "@finitewidth/activations";

export const sine = { module: import.meta.url, name: "sine", run: (x, { registry }) => registry.activation("sin").value(x) };
export const plugin = {
  name: "own",
  module: import.meta.url,
  activations: [defineActivation({ name: "sin", summary: "sine", odd: true, smooth: true, bounded: true, value: Math.sin, derivative: Math.cos,
    secondDerivative: (h) => -Math.sin(h) })],
  tasks: [sine],
};
`;
const experiment = `import { createRegistry, fit, inlineRun } from "@finitewidth/core";
import { monteCarlo } from "@finitewidth/monte-carlo";
import { sine } from "./own.js";
import { plugins } from "./plugins.js";

export const registry = createRegistry(plugins);
export async function compute(run) {
  const network = { type: "fully-connected", widths: [5], activation: "erf" };
  const inputs = [[1, 0.2], [0.1, -1], [-0.5, 0.7]];
  const options = { chains: 2, draws: 20, warmup: 10 };
  const { posterior, predict } = await fit(monteCarlo, { network, inputs, targets: [1, -1, 0.5], temperature: 0.1 }, { registry, options, run });
  const { mean } = await predict([[1, 1]]);
  const sines = [];
  for await (const value of run.map(sine, [0.5, 1, 2])) sines.push(value);
  return [...posterior.train.mean.data, ...mean.data, ...sines];
}
export const inThread = () => compute(inlineRun({ registry, seed: 3 }));
`;
const page = (spawn) => `import { poolRun, handleOf } from "@finitewidth/workers";
import { compute, registry } from "./experiment.js";

console.log("script");
const fallbacks = [];
const run = poolRun({ registry, seed: 3, workers: 2, onFallback: (reason) => fallbacks.push(reason)${spawn} });
compute(run).then((numbers) => console.log("finished " + JSON.stringify({ numbers, fallbacks })), (error) => console.log("failed " + error.stack));
`;
const files = {
  "plugins.js": plugins,
  "own.js": own,
  "experiment.js": experiment,
  "node.js": 'import { inThread } from "./experiment.js";\nconsole.log(JSON.stringify(await inThread()));\n',
  "worker.js": 'import { serve } from "@finitewidth/workers";\nimport { plugins } from "./plugins.js";\nserve(self, { plugins });\n',
  "default.js": page(""),
  "own-worker.js": page(', spawn: () => handleOf(new Worker(new URL("./worker.js", import.meta.url), { type: "module" }))'),
};
const html = (script) => `<!doctype html><link rel="icon" href="data:,"><script type="module" src="/${script}"></script>`;

/** Opens a page, waits for its last line; what it printed and how many workers it started. */
async function visit(browser, url) {
  const tab = await browser.newPage();
  const lines = [];
  let workers = 0;
  tab.on("worker", () => (workers += 1));
  const finished = new Promise((resolve, reject) => {
    tab.on("console", (message) => {
      lines.push(message.text());
      if (/^(finished|failed) /.test(message.text())) resolve(message.text());
    });
    tab.on("pageerror", reject);
    setTimeout(() => reject(new Error(`${url} did not finish within 60 s; it printed ${lines.join("\n")}`)), 60_000).unref();
  });
  await tab.goto(url);
  const last = await finished;
  const isolated = await tab.evaluate(() => globalThis.crossOriginIsolated);
  await tab.close();
  if (last.startsWith("failed ")) throw new Error(`${url}: ${last}`);
  const scripts = lines.filter((line) => line === "script").length;
  return { ...JSON.parse(last.slice("finished ".length)), workers, scripts, isolated };
}

function judge(what, found, expected, inWorkers) {
  const far = found.numbers.findIndex((value, i) => !(Math.abs(value - expected[i]) <= 1e-12 * Math.max(1, Math.abs(expected[i]))));
  if (far >= 0 || found.numbers.length !== expected.length) throw new Error(`${what}: ${found.numbers} in the page, ${expected} in Node`);
  if (found.scripts !== 1) throw new Error(`${what}: the page's script ran ${found.scripts} times`);
  if (inWorkers && (found.workers === 0 || found.fallbacks.length > 0))
    throw new Error(`${what}: ${found.workers} workers, ${JSON.stringify(found.fallbacks)}`);
  if (!inWorkers && (found.workers > 0 || found.fallbacks.length !== 1))
    throw new Error(`${what}: ${found.workers} workers, ${JSON.stringify(found.fallbacks)}`);
  console.log(`✓ ${what}: ${found.workers} workers${found.fallbacks.length > 0 ? `, said "${found.fallbacks[0]}"` : ""}`);
}

/** @throws Error where a page does not compute what Node computes, or not where it should. */
export async function checkWorkers(browser, work, tarballs) {
  mkdirSync(work, { recursive: true });
  await install(work, packages, tarballs);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(work, name), text);
  for (const script of ["default", "own-worker"]) writeFileSync(join(work, `${script}.html`), html(`${script}.js`));
  const expected = JSON.parse(run(process.execPath, ["node.js"], work));
  for (const vite of [vite7, vite8]) {
    const name = `Vite ${vite.version}`;
    const out = join(work, `out-${vite.version}`);
    for (const script of ["default", "own-worker"]) {
      const input = join(work, `${script}.html`);
      const options = { outDir: join(out, script), target: "es2022", emptyOutDir: true, rollupOptions: { input } };
      await vite.build({ root: work, configFile: false, logLevel: "error", worker: { format: "es" }, build: options });
      for (const isolated of [false, true]) {
        const server = await serveFolder(join(out, script), { isolated });
        const found = await visit(browser, `${server.url}${script}.html`);
        server.close();
        if (found.isolated !== isolated) throw new Error(`${script}: isolation is ${found.isolated}`);
        judge(`${name} build, ${script}${isolated ? ", isolated" : ""}`, found, expected, script === "own-worker");
      }
    }
    const cacheDir = join(work, `.cache-${vite.version}`);
    const server = await vite.createServer({
      root: work,
      configFile: false,
      logLevel: "error",
      cacheDir,
      server: { host: "127.0.0.1", port: 0 },
    });
    await server.listen();
    const { port } = server.httpServer.address();
    try {
      for (const script of ["default", "own-worker"])
        judge(`${name} development server, ${script}`, await visit(browser, `http://127.0.0.1:${port}/${script}.html`), expected, true);
    } finally {
      await server.close();
    }
  }
}
