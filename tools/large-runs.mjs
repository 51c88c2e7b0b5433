// What `finitewidth run` says to more points than dense kernels are for, with the memory that this machine has: every theory at 16 500,
// 20 000 and 23 000 points. Each run is refused in a line, done, or still going after so many seconds, with the memory that it had by then;
// one that is killed, or fails otherwise, is a fault (exit status 1). Usage: node large-runs.mjs [seconds, default 20] [part of a name …]
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encodeNpz } from "@finitewidth/core/npz";
import { commandLine, temporaryFolder } from "./workspace.mjs";

const [seconds = "20", ...wanted] = process.argv.slice(2);
const folder = temporaryFolder("finitewidth-large-");
const features = 64;
const dense = (activation, widths = [500]) => ({ type: "fully-connected", widths, activation });
const filters = { type: "convolutional", inputShape: [1, 8, 8], layers: [{ channels: 50, kernelSize: [3, 3] }], readout: "global-average" };

const cases = {
  "nngp, three layers": [dense("erf", [500, 500, 500]), "nngp"],
  "nngp, one factor": [dense("erf"), { method: "nngp", solver: "dense" }],
  "exact, in input space": [dense("identity"), "exact"],
  "exact, convolution": [{ ...filters, activation: "identity" }, "exact"],
  "effective-action": [dense("erf"), "effective-action"],
  "effective-action, three layers": [dense("erf", [500, 500, 500]), "effective-action"],
  "effective-action, two outputs": [dense("erf"), "effective-action", 2],
  perturbative: [dense("erf"), "perturbative"],
  "perturbative, sampled": [dense("erf"), { method: "perturbative", engine: "networks" }],
  "forward-backward": [dense("erf"), { method: "forward-backward", closure: "gaussian-variational" }],
  "large-deviation": [dense("identity"), "large-deviation", 1, "mean-field"],
  "expectation-propagation": [dense("erf"), "expectation-propagation"],
  "monte-carlo": [dense("erf"), "monte-carlo"],
};

function write(points, [network, method, outputs = 1, scaling = "standard"], name) {
  const numbers = (rows, columns, seed) => ({
    data: Float64Array.from({ length: rows * columns }, (_, i) => Math.sin(seed + 12.9898 * i) + Math.sin(78.233 * i * (seed + 1))),
    shape: [rows, columns],
  });
  const signs = (matrix) => ({ ...matrix, data: matrix.data.map((value) => (value < 0 ? -1 : 1)) });
  const data = `${points}-${outputs}.npz`;
  writeFileSync(
    join(folder, data),
    encodeNpz({ x_train: numbers(points, features, 1), y_train: signs(numbers(points, outputs, 2)), x_test: numbers(50, features, 3) }),
  );
  const file = join(folder, `${name}.json`);
  const experiment = { data: { file: data }, network, scaling, likelihood: { temperature: 0.01 }, methods: [method], referee: false };
  writeFileSync(file, JSON.stringify(experiment));
  return file;
}

/** Largest memory so far of a process that is still there, in GB; Linux only. */
function peakOf(pid) {
  try {
    return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]) / 1e6;
  } catch {
    return NaN;
  }
}

async function attempt(file) {
  const started = Date.now();
  const child = spawn(process.execPath, [commandLine, "run", file, "--out", join(folder, "out"), "--workers", "1"], { stdio: ["ignore", "ignore", "pipe"] }); // prettier-ignore
  let said = "";
  child.stderr.on("data", (text) => (said += text));
  let peak = NaN;
  const watch = setInterval(() => (peak = peakOf(child.pid) || peak), 200);
  let late = false;
  const timer = setTimeout(
    () => {
      late = true;
      child.kill("SIGINT");
    },
    1000 * Number(seconds),
  );
  const { status, signal } = await new Promise((done) => child.on("close", (code, by) => done({ status: code, signal: by })));
  clearInterval(watch);
  clearTimeout(timer);
  const took = `${((Date.now() - started) / 1000).toFixed(1)} s, ${peak.toFixed(2)} GB`;
  const last =
    said
      .trim()
      .split("\n")
      .findLast((line) => line.includes(" failed")) ?? said.trim().split("\n").at(-1);
  if (late) return { fault: false, text: `going on after ${took}` };
  if (status === 0) return { fault: false, text: `done in ${took}` };
  const refused = /failed.*(use|closure|GB|GiB)/.test(last);
  return { fault: !refused || signal !== null, text: `${refused ? "refused" : `FAULT (status ${status}, ${signal})`} in ${took}: ${last}` };
}

let faults = 0;
for (const points of [16_500, 20_000, 23_000])
  for (const [name, parts] of Object.entries(cases)) {
    if (wanted.length > 0 && !wanted.some((part) => `${name} ${points}`.includes(part))) continue;
    const { fault, text } = await attempt(write(points, parts, "experiment"));
    faults += fault ? 1 : 0;
    console.log(`${points} points, ${name}: ${text}`);
  }
process.exitCode = faults > 0 ? 1 : 0;
