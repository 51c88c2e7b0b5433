// Proves the plug-in story from tarballs: the example plug-ins and freshly generated ones pass their conformance suites untouched, broken
// ones fail with a message that says what to do, the command line picks them up, and the verification suite checks their claims.
// Usage: node tools/check-plugins.mjs [--keep]
import { cpSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { install, packAll, run, runAsync } from "./pack.mjs";
import { attempt, finish, problems } from "./problems.mjs";
import { root, temporaryFolder } from "./workspace.mjs";

const work = temporaryFolder("finitewidth-plugins-");
const examples = join(root, "docs", "examples", "plugins");
// the kind that the generator copies from an example
const kinds = {
  sin: "activation",
  "student-t": "layer",
  "linear-residual": "prior",
  "laplace-evidence": "theory",
  "skip-and-attention": undefined,
};
const dependenciesOf = (manifest) => ({ ...manifest.dependencies, ...manifest.devDependencies, ...manifest.peerDependencies });
const manifestIn = (folder) => JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));

/** A change to an example and what its suite must say. */
const broken = [
  [
    "sin",
    "NaN",
    "value: Math.sin,",
    "value: (h) => (h > 3 ? Number.NaN : Math.sin(h)),",
    /sin\.value\(3\.5\): expected a finite number, got NaN/,
  ],
  ["sin", "a wrong flag", "odd: true", "odd: false", /set odd: true/],
  ["sin", "a wrong derivative", "derivative: Math.cos", "derivative: (h) => 1.01 * Math.cos(h)", /derivative against differences of value/],
  ["student-t", "a variance that is off", "const scale = Math.sqrt((nu - 2) / nu);", "const scale = 1;", /a variance or a fan-in is off/],
  [
    "student-t",
    "a wrong derivative",
    "(scale * normalDensity(theta))",
    "(1.01 * scale * normalDensity(theta))",
    /directional derivative by pullback/,
  ],
  [
    "skip-and-attention",
    "a wrong shape",
    "width, gaussian: true, input: false }",
    "width, gaussian: false, input: false }",
    /above\.gaussian: expected true/,
  ],
  [
    "linear-residual",
    "impure",
    "coefficients: [skip, 1],",
    "coefficients: [skip * (1 + (instances++ % 7)), 1],",
    /realise must be pure: no hidden state and no randomness but θ/,
    "\nlet instances = 0;\n",
  ],
  [
    "laplace-evidence",
    "the wrong shape",
    "const [mean, variance] = [zeros(tests, 1), zeros(tests, 1)];",
    "const [mean, variance] = [zeros(tests + 1, 1), zeros(tests, 1)];",
    /expected 2 × 1, got 3 × 1/,
  ],
  [
    "laplace-evidence",
    "NaN",
    "Math.max(0, Q * othersDiagonal![j]! - explained)",
    "Math.log(explained - Q * othersDiagonal![j]!)",
    /predictive\.variance\[0\] is NaN: never return NaN/,
  ],
  [
    "laplace-evidence",
    "unseeded",
    "const orderParameter = Math.exp(u);",
    "const orderParameter = Math.exp(u) * (1 + 1e-6 * Math.random());",
    /draw all randomness from streams of run\.seed/,
  ],
  ["laplace-evidence", "deaf to cancellation", "run.signal?.throwIfAborted();", "", /fit must call run\.signal\?\.throwIfAborted\(\)/],
];

/** Runs a plug-in's own suite, which must pass. */
const suite = (folder) => runAsync(process.execPath, [join(folder, "node_modules/vitest/vitest.mjs"), "run"], folder);

/** Copies an example and changes it. */
function breakExample(index, [name, , from, to, , prelude = ""], modules) {
  const folder = join(work, "broken", `${name}-${index}`);
  cpSync(join(examples, name), folder, { recursive: true });
  symlinkSync(modules, join(folder, "node_modules"));
  const file = join(folder, "src/index.ts");
  const text = readFileSync(file, "utf8");
  if (!text.includes(from)) throw new Error(`${name} no longer contains ${from}`);
  writeFileSync(file, text.replace(from, to) + prelude);
}

/** Runs the suites of all broken examples, one process for all of them, and demands that each fails with its message. */
async function expectFailures(modules) {
  broken.forEach((change, i) => breakExample(i, change, modules));
  const report = join(work, "broken.json");
  const argv = [join(modules, "vitest/vitest.mjs"), "run", "--no-isolate", "--reporter=json", `--outputFile=${report}`];
  await runAsync(process.execPath, argv, join(work, "broken")).catch(() => undefined);
  const { testResults } = JSON.parse(readFileSync(report, "utf8"));
  for (const [i, [name, what, , , message]] of broken.entries())
    await attempt(`${name} made ${what}: its suite says ${message.source}`, () => {
      const files = testResults.filter((file) => file.name.includes(join("broken", `${name}-${i}`) + sep));
      if (files.length === 0) throw new Error("its suite did not run");
      const said = files.flatMap((file) => [file.message, ...file.assertionResults.flatMap((test) => test.failureMessages)]).join("\n");
      if (files.every((file) => file.status === "passed")) throw new Error("the suite passed a broken plug-in");
      if (!message.test(said)) throw new Error(`the suite does not say what to do:\n${said.slice(0, 2000)}`);
    });
}

const inputs = [
  [1, 0.5],
  [0.2, -1],
  [-0.7, 0.3],
];
const experiment = {
  data: { train: { inputs, targets: [[1], [-1], [0.5]] }, test: { inputs: [[1, 1]], targets: [[0.2]] } },
  likelihood: { temperature: 0.1 },
  referee: { draws: 2, chains: 8 },
};
const sampled = { method: "monte-carlo", draws: 50, warmup: 50 };
const cases = {
  sin: { network: { type: "fully-connected", widths: [10], activation: "sin" }, methods: ["nngp", sampled] },
  "linear-residual": { network: { type: "linear-residual", width: 10, depth: 3 }, methods: ["nngp", sampled] },
  "student-t": {
    network: {
      type: "sequential",
      inputShape: [2],
      layers: [{ layer: "dense", width: 10 }, { layer: "student-t", width: 10 }, { layer: "dense" }],
    },
    methods: ["nngp", sampled],
  },
  "skip-and-attention": {
    network: {
      type: "sequential",
      inputShape: [1, 2],
      layers: [
        { layer: "distance-attention", width: 10, reach: 2 },
        {
          layer: "scaled-residual",
          depth: 4,
          body: [
            { layer: "activation", name: "erf" },
            { layer: "dense", width: 10 },
          ],
        },
        { layer: "flatten" },
        { layer: "dense" },
      ],
    },
    methods: ["nngp", sampled],
  },
  "laplace-evidence": {
    network: { type: "fully-connected", widths: [10], activation: "identity" },
    methods: ["exact", "laplace-evidence"],
  },
};

/** Runs a plug-in's experiment through the command line, in this thread and in two worker threads: the numbers must be the same. */
async function throughCommandLine(folder, name) {
  const methods = cases[name].methods.map((entry) => entry.method ?? entry);
  writeFileSync(join(folder, `${name}.json`), JSON.stringify({ ...experiment, ...cases[name], plugins: [`finitewidth-plugin-${name}`] }));
  const numbers = [];
  for (const workers of [0, 2]) {
    const out = `results/${name}-${workers}`;
    await runAsync(
      join(folder, "node_modules/.bin/finitewidth"),
      ["run", `${name}.json`, "--quiet", "--workers", String(workers), "--out", out],
      folder,
    );
    const { results } = JSON.parse(readFileSync(join(folder, out, "result.json"), "utf8"));
    for (const method of methods)
      if (results[method]?.status !== "ok") throw new Error(`${method} gave ${JSON.stringify(results[method])}`);
    numbers.push(JSON.stringify(methods.map((method) => [results[method].predictive, results[method].logEvidence])));
  }
  if (numbers[0] !== numbers[1]) throw new Error(`the numbers depend on the workers: ${numbers.join(" and ")}`);
}

try {
  const tarballs = packAll(join(work, "tarballs"));
  const development = join(work, "development");
  const needed = Object.assign({}, ...Object.keys(kinds).map((name) => dependenciesOf(manifestIn(join(examples, name)))));
  const user = join(work, "user");
  await Promise.all([
    install(
      development,
      Object.keys(needed).filter((name) => name.startsWith("@finitewidth/")),
      tarballs,
      { dependencies: needed },
    ),
    install(user, ["@finitewidth/cli", "@finitewidth/verification"], tarballs),
  ]);
  const modules = join(development, "node_modules");

  for (const [name, kind] of Object.entries(kinds)) {
    const folder = join(work, "examples", name);
    cpSync(join(examples, name), folder, { recursive: true });
    symlinkSync(modules, join(folder, "node_modules"));
    const generated = join(work, "generated", `my-${name}`);
    await Promise.all([
      attempt(`example ${name}: builds and passes its conformance suite`, async () => {
        await runAsync("npm", ["run", "build"], folder);
        await suite(folder);
      }),
      kind &&
        attempt(`generated ${kind}: builds and passes its conformance suite untouched`, async () => {
          run(
            process.execPath,
            [
              join(root, "node_modules/nx/dist/bin/nx.js"),
              "g",
              "@finitewidth/tools:plugin",
              `my-${name}`,
              "--kind",
              kind,
              "--directory",
              relative(root, generated),
            ],
            root,
          );
          symlinkSync(modules, join(generated, "node_modules"));
          await runAsync("npm", ["run", "build"], generated);
          await suite(generated);
        }),
    ]);
  }
  await expectFailures(modules);

  await attempt("the example plug-ins install from their own tarballs", async () => {
    const packed = Object.keys(kinds).map((name) =>
      join(work, "examples", name, run("npm", ["pack", "--silent"], join(work, "examples", name)).trim()),
    );
    await runAsync("npm", ["install", "--no-audit", "--no-fund", "--prefer-offline", ...packed], user);
  });
  for (const name of Object.keys(kinds))
    await attempt(`the command line runs ${name} in this thread and in workers`, () => throughCommandLine(user, name));
  await attempt("verify checks their claims", async () => {
    const load = ["sin", "student-t", "laplace-evidence", "skip-and-attention"].flatMap((name) => ["--load", `finitewidth-plugin-${name}`]);
    console.log((await runAsync("npx", ["finitewidth", "verify", ...load, "--out", join(user, "verification")], user)).trim());
  });
} catch (error) {
  problems.push(error.message);
}
finish("plug-ins work from tarballs");
