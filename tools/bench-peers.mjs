// Ours beside the peers in one run, on one core: node bench.mjs --peers. Sets up a virtual environment with JAX, neural-tangents, numpyro
// and blackjax, and one with torch and deepbays (FINITEWIDTH_PEERS and FINITEWIDTH_DEEPBAYS name such that are there already), and prints
// one line a task and peer, gradients of log posteriors included. Exit status 3: no Python here.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { temporaryFolder } from "./workspace.mjs";

const here = import.meta.dirname;
/** Versions that work with one another: neural-tangents 0.6.5 needs a JAX of its time. */
const jax = ["jax==0.4.30", "jaxlib==0.4.30", "neural-tangents==0.6.5", "numpyro==0.15.3", "blackjax==1.2.4", "numpy<2", "scipy<1.14"];
const torch = ["torch==2.15.0", "deepbays==0.1.11", "numpy<2", "scipy<1.14"];

/** Python of a virtual environment with these packages. */
function environment(folder, packages) {
  const python = join(folder, "bin/python");
  if (existsSync(python)) return python;
  if (spawnSync("python3", ["-m", "venv", folder], { stdio: "inherit" }).status !== 0) {
    console.error("python3 with venv is needed for the peers");
    process.exit(3);
  }
  console.error(`installing ${packages.join(", ")} into ${folder}`);
  try {
    execFileSync(python, ["-m", "pip", "install", "--quiet", "--no-cache-dir", ...packages], { stdio: "inherit" });
  } catch (error) {
    // half an environment would be taken for a whole one
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
  return python;
}

/** Lines of deepbays, whose torch takes gigabytes: where that cannot be had, the comparison goes on without it. */
function deepbays(data) {
  try {
    const folder = process.env.FINITEWIDTH_DEEPBAYS ?? join(here, "node_modules/.cache/deepbays");
    return lines(environment(folder, torch), [join(here, "bench-deepbays.py"), data]);
  } catch (error) {
    console.log(`deepbays does not run here: ${error.message.trim().split("\n").at(-1)}`);
    return [];
  }
}

const pinned = spawnSync("taskset", ["-c", "0", "true"]).status === 0;
function lines(file, parameters) {
  const command = pinned ? ["taskset", "-c", String(cpus().length - 1), file, ...parameters] : [file, ...parameters];
  const { stdout, status, stderr } = spawnSync(command[0], command.slice(1), { encoding: "utf8", cwd: here, maxBuffer: 1e8 });
  if (status !== 0) throw new Error(stderr.slice(-2000));
  return stdout
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line));
}

export function comparePeers() {
  const python = environment(process.env.FINITEWIDTH_PEERS ?? join(here, "node_modules/.cache/peers"), jax);
  const data = join(temporaryFolder("peers-"), "data.npz");
  // the first makes the data
  const benches = ["bench-peers", "bench-gradients"];
  const preload = ["--conditions", "@finitewidth/source", "--import", join(here, "ts-preload.mjs")];
  const ourLines = (bench, ...more) => lines(process.execPath, [...preload, join(here, `${bench}-ours.mjs`), data, ...more]);
  const wasm = benches.flatMap((bench) => ourLines(bench));
  const native = [...benches.flatMap((bench) => ourLines(bench, "native")), ...ourLines("bench-gradients", "turbo")];
  const peers = [...benches.flatMap((bench) => lines(python, [join(here, `${bench}.py`), data])), ...deepbays(data)];
  const versions = Object.assign({}, ...peers.map((line) => line.versions ?? {}));
  console.log(
    `${cpus()[0].model}, one core${pinned ? " (taskset)" : ", not pinned"}, CPU seconds, warm (cold in parentheses); ${readLoad()}`,
  );
  console.log(
    `peers: ${Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(", ")}; OPENBLAS_CORETYPE unset`,
  );
  for (const line of native) if (line.skipped) console.log(line.skipped);
  for (const peer of peers.filter((line) => line.task !== undefined)) {
    if (peer.error) {
      console.log(`${peer.task}: ${peer.peer} failed: ${peer.error}`);
      continue;
    }
    const own = [...wasm, ...native].filter(({ task }) => task === peer.task);
    const text = own.map((one) =>
      peer.cost === undefined ? timed(one, peer) : `${one.backend} ${one.cost.toExponential(2)} (${(peer.cost / one.cost).toFixed(1)} ×)`,
    );
    const reference = peer.cost === undefined ? `${figures(peer.seconds)} (${peer.cold.toFixed(2)})` : peer.cost.toExponential(2);
    console.log(
      `${peer.task}: ${peer.peer} ${reference}; ${text.join("; ")}${peer.cost === undefined ? `; values differ by ${difference(own[0], peer)}` : " squared error × s"}`,
    );
  }
}

const figures = (seconds) => (seconds < 0.1 ? seconds.toPrecision(3) : seconds.toFixed(3));
const timed = (one, peer) =>
  `${one.backend} ${figures(one.seconds)} (${one.cold.toFixed(2)}), ${(peer.seconds / one.seconds).toFixed(2)} ×`;
const difference = (one, peer) => Math.max(...one.values.map((value, i) => Math.abs(value / peer.values[i] - 1))).toExponential(1);
const readLoad = () => (existsSync("/proc/loadavg") ? `load ${readFileSync("/proc/loadavg", "utf8").split(" ")[0]}` : "load unknown");
