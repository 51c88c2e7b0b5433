// Checks the Python package as its users have it: the wheel with the extra [node] in a virtual environment of its own, no Node on the path;
// types, tests (numbers against the command line of this repository), the examples of its pages and the outputs of its notebook. Exit
// status 3 where Python ≥ 3.10, or what pip would fetch, is absent. Usage: node tools/check-python.mjs (after the command line was built)
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { delimiter, join } from "node:path";
import { buildWheel, findPython } from "./build-python.mjs";
import { run } from "./pack.mjs";
import { commandLine, root } from "./workspace.mjs";

const skip = (reason) => {
  console.log(reason);
  process.exit(3);
};

const python = findPython() ?? skip("Python ≥ 3.10 with pip and venv is not here");
const requirements = join(root, "packages/python/tests/requirements.txt");
const venv = join(root, "artefacts/python-venv");
const bin = join(venv, process.platform === "win32" ? "Scripts" : "bin");
rmSync(venv, { recursive: true, force: true });
run(python, ["-m", "venv", venv], root);
const inside = join(bin, "python");
try {
  run(inside, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements], root);
} catch (error) {
  if (/No matching distribution|Could not find a version|ConnectionError|NewConnectionError|Temporary failure/.test(error.message))
    skip(`pip does not find what the tests need here:\n${error.message.split("\n").slice(-4).join("\n")}`);
  throw error;
}
run(inside, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", `${buildWheel(python)}[node]`], root);

// Where Node of the machine is must not be on the path: the wheel's is what runs.
const path = [bin, ...(process.env.PATH ?? "").split(delimiter)].filter(
  (folder) => folder === bin || spawnSync(join(folder, "node"), ["--version"]).error !== undefined,
);
const env = { ...process.env, PATH: path.join(delimiter), FINITEWIDTH_NODE: "", FINITEWIDTH_COMMAND: commandLine };
const failed = [
  ["-m", "mypy", "--config-file", "packages/python/pyproject.toml", "packages/python/src"],
  ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", "packages/python", "packages/python/tests", ...process.argv.slice(2)],
].filter((args) => spawnSync(inside, args, { cwd: root, env, stdio: "inherit" }).status !== 0);
process.exit(failed.length === 0 ? 0 : 1);
