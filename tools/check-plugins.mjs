// Proves the plug-in story from tarballs: the example plug-ins and freshly generated ones pass their conformance suites untouched, broken ones fail
// with a message that says what to do, the command line picks them up, and the verification suite checks their claims.
// Usage: node tools/check-plugins.mjs [--keep]
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { install, packAll, root, run } from "./pack.mjs";

const work = mkdtempSync(join(tmpdir(), "finitewidth-plugins-"));
const examples = join(root, "docs", "examples", "plugins");
const kinds = { sin: "activation", "linear-residual": "prior", "laplace-evidence": "theory" };
const problems = [];
const attempt = (what, action) => {
  try {
    action();
    console.log(`✓ ${what}`);
  } catch (error) {
    problems.push(`${what}: ${error.message}`);
  }
};
const ours = (manifest) => Object.keys({ ...manifest.dependencies, ...manifest.devDependencies, ...manifest.peerDependencies }).filter((name) => name.startsWith("@finitewidth/"));

try {
  const tarballs = packAll(join(work, "tarballs"));
  const prepare = (folder) => {
    const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    install(folder, ours(manifest), tarballs, manifest);
  };
  for (const [name, kind] of Object.entries(kinds)) {
    const folder = join(work, "examples", name);
    cpSync(join(examples, name), folder, { recursive: true });
    attempt(`example ${name}: builds and passes its conformance suite`, () => {
      prepare(folder);
      run("npm", ["run", "build"], folder);
      run("npm", ["test"], folder);
    });

    const generated = join(work, "generated", `my-${name}`);
    attempt(`generated ${kind}: passes its conformance suite untouched`, () => {
      run(process.execPath, [join(root, "node_modules/nx/dist/bin/nx.js"), "g", "@finitewidth/tools:plugin", `my-${name}`, "--kind", kind, "--directory", relative(root, generated)], root);
      mkdirSync(generated, { recursive: true });
      prepare(generated);
      run("npm", ["test"], generated);
    });
  }

  /** A change to an example and what its suite must say. */
  const broken = [
    ["sin", "value: Math.sin,", "value: (h) => (h > 3 ? Number.NaN : Math.sin(h)),", /never return NaN/],
    ["sin", "odd: true", "odd: false", /set odd: true/],
    ["linear-residual", "const scale = weightVariance.map", "const scale = weightVariance.map((v) => v * (1 + Number(process.hrtime.bigint() % 7n))).map", /pure|depend|pullback|variance|bit|forward must depend/],
    ["laplace-evidence", "const [mean, variance] = [zeros(tests, 1), zeros(tests, 1)];", "const [mean, variance] = [zeros(tests + 1, 1), zeros(tests, 1)];", /expected 2 × 1, got 3 × 1/],
    ["laplace-evidence", "orderParameter: Math.exp(u),", "orderParameter: Math.exp(u) * (1 + 1e-9 * (Date.now() % 97) + 1e-9 * Number(process.hrtime.bigint() % 89n)),", /draw all randomness from streams of run\.seed/],
  ];
  for (const [i, [name, from, to, message]] of broken.entries()) {
    attempt(`broken ${name} (${i}) fails with ${message}`, () => {
      const folder = join(work, "broken", `${name}-${i}`);
      cpSync(join(examples, name), folder, { recursive: true });
      const file = join(folder, "src/index.ts");
      const text = readFileSync(file, "utf8");
      if (!text.includes(from)) throw new Error(`the example no longer contains ${from}`);
      writeFileSync(file, text.replace(from, to));
      symlinkSync(join(work, "examples", name, "node_modules"), join(folder, "node_modules"));
      let output = "";
      try {
        run("npm", ["test"], folder);
      } catch (error) {
        output = error.message;
      }
      if (output === "") throw new Error("the suite passed a broken plug-in");
      if (!message.test(output)) throw new Error(`the suite does not say what to do:\n${output.slice(0, 2000)}`);
    });
  }

  attempt("the command line picks up plug-ins, and the verification suite checks their claims", () => {
    const folder = join(work, "user");
    install(folder, ["@finitewidth/cli", "@finitewidth/verification"], tarballs);
    for (const name of Object.keys(kinds)) {
      const target = join(folder, "node_modules", `finitewidth-plugin-${name}`);
      mkdirSync(target, { recursive: true });
      for (const part of ["package.json", "dist"]) cpSync(join(work, "examples", name, part), join(target, part), { recursive: true });
    }
    const base = { data: { train: { inputs: [[1, 0.5], [0.2, -1], [-0.7, 0.3]], targets: [[1], [-1], [0.5]] }, test: { inputs: [[1, 1]], targets: [[0.2]] } }, likelihood: { temperature: 0.1 } };
    const cases = {
      sin: { plugins: ["finitewidth-plugin-sin"], network: { type: "fully-connected", widths: [10], activation: "sin" }, methods: ["nngp", { method: "monte-carlo", draws: 200, warmup: 200 }] },
      "linear-residual": { plugins: ["finitewidth-plugin-linear-residual"], network: { type: "linear-residual", width: 10, depth: 3 }, methods: ["nngp", { method: "monte-carlo", draws: 200, warmup: 200 }] },
      "laplace-evidence": { plugins: ["finitewidth-plugin-laplace-evidence"], network: { type: "fully-connected", widths: [10], activation: "identity" }, methods: ["exact", "laplace-evidence"] },
    };
    for (const [name, extra] of Object.entries(cases)) {
      writeFileSync(join(folder, `${name}.json`), JSON.stringify({ ...base, ...extra }));
      run(join(folder, "node_modules/.bin/finitewidth"), ["run", `${name}.json`, "--quiet"], folder);
      const { results } = JSON.parse(readFileSync(join(folder, "results", name, "result.json"), "utf8"));
      for (const method of extra.methods.map((entry) => entry.method ?? entry)) if (results[method]?.status !== "ok") throw new Error(`${name}: ${method} gave ${JSON.stringify(results[method])}`);
    }
    writeFileSync(
      join(folder, "verify.mjs"),
      `import { createRegistry, inlineRun } from "@finitewidth/core";
import { plugin } from "finitewidth-plugin-laplace-evidence";
import { family, fullyConnected, runVerification, standardPlugins } from "@finitewidth/verification";
const families = [family({ name: "third party", theories: [{ name: "laplace-evidence" }], network: fullyConnected("identity", [6], [1.3, 0.7]), points: 4, features: 3, temperature: 0.3, sampling: { kind: "importance", samples: 40000 }, factors: [1, 2, 4], seed: 5 })];
const evidence = await runVerification({ suite: "quick", families }, inlineRun({ registry: createRegistry([...standardPlugins, plugin]) }));
if (!evidence.passed) throw new Error(JSON.stringify(evidence.claims.map(({ id, verdict, power }) => ({ id, verdict, power }))) + JSON.stringify(evidence.failures));
console.log(evidence.claims.length, "claims checked");`,
    );
    console.log(run(process.execPath, ["verify.mjs"], folder).trim());
  });
} catch (error) {
  problems.push(error.message);
} finally {
  if (!process.argv.includes("--keep")) rmSync(work, { recursive: true, force: true });
}
for (const problem of problems) console.error(`✗ ${problem}`);
console.log(problems.length === 0 ? "plug-ins work from tarballs" : `${problems.length} problems`);
process.exit(problems.length === 0 ? 0 : 1);
