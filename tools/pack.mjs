// Packs every published package into tarballs and installs chosen subsets of them in empty folders, as users would. Usage: node pack.mjs
// FOLDER builds and packs once for all checks that find the folder in FINITEWIDTH_TARBALLS.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { root } from "./workspace.mjs";

const pnpm = JSON.parse(readFileSync(join(root, "package.json"), "utf8")).packageManager;

const listed = (folder) => readdirSync(join(root, folder)).map((name) => `${folder}/${name}`);
const manifestsIn = (folders) =>
  folders
    .filter((folder) => existsSync(join(root, folder, "package.json")))
    .map((folder) => ({ folder, ...JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8")) }))
    .filter((manifest) => !manifest.private);

/** Manifests of the published packages, each with its folder. */
export const manifests = manifestsIn(["verification", ...listed("packages")]);

/** Those of the packages that hold an add-on and nothing else, one for each platform: the ones whose add-on has been built. */
export const binaries = manifestsIn(listed("packages/linalg-native/platforms")).filter(({ folder, main }) =>
  existsSync(join(root, folder, main)),
);

const failure = (command, args, cwd, output) => new Error(`${command} ${args.join(" ")} in ${cwd}:\n${output}`);

/** Runs a command and returns what it printed. @throws Error with its output when it fails. */
export function run(command, args, cwd, env = {}) {
  const result = spawnSync(command, args, {
    cwd,
    encoding: "utf8",
    env: { ...process.env, CI: "true", NO_COLOR: "1", ...env },
    maxBuffer: 1 << 26,
  });
  if (result.status !== 0) throw failure(command, args, cwd, `${result.stdout}\n${result.stderr}`);
  return result.stdout;
}

/** The same without blocking, so that independent commands share the cores. */
export function runAsync(command, args, cwd, env = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, CI: "true", NO_COLOR: "1", ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let [out, all] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text) => ([out, all] = [out + text, all + text]));
    child.stderr.setEncoding("utf8").on("data", (text) => (all += text));
    child.on("error", reject);
    child.on("close", (status) => (status === 0 ? resolve(out) : reject(failure(command, args, cwd, all))));
  });
}

/** Folder of the tarballs where everything was built and packed already. */
const packedBefore = process.env.FINITEWIDTH_TARBALLS;

/** Builds everything, or the project that is named, unless that was done already: others may be running what is built. */
export function buildAll(project) {
  const tasks = project ? ["build", project] : ["run-many", "-t", "build"];
  if (!packedBefore) run(process.execPath, [join(root, "node_modules/nx/dist/bin/nx.js"), ...tasks], root);
}

/** Builds and packs everything, unless that was done already; name → path of the tarball. */
export function packAll(folder) {
  const packed = [...manifests, ...binaries];
  if (packedBefore) folder = packedBefore;
  else {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    buildAll();
    const filters = packed.flatMap((manifest) => ["--filter", `./${manifest.folder}`]);
    run("npx", ["--yes", "--prefer-offline", pnpm, "--recursive", ...filters, "pack", "--pack-destination", folder], root);
  }
  return new Map(
    packed.map((manifest) => [
      manifest.name,
      join(folder, `finitewidth-${manifest.name.replace("@finitewidth/", "")}-${manifest.version}.tgz`),
    ]),
  );
}

/** The packages and all of ours that they need. */
export function closure(names) {
  const found = new Set();
  const visit = (name) => {
    const manifest = [...manifests, ...binaries].find((entry) => entry.name === name);
    if (found.has(name) || !manifest) return;
    found.add(name);
    for (const dependency of Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies })) visit(dependency);
  };
  names.forEach(visit);
  return [...found];
}

/**
 * Installs packages from their tarballs in `folder`, beside other dependencies; our own dependencies point at the tarballs too, none being
 * published yet.
 */
export function install(folder, names, tarballs, manifest = {}) {
  mkdirSync(folder, { recursive: true });
  const files = Object.fromEntries(closure(names).map((name) => [name, `file:${tarballs.get(name)}`]));
  const others = Object.fromEntries(
    Object.entries({ ...manifest.dependencies, ...manifest.devDependencies }).filter(([name]) => !name.startsWith("@finitewidth/")),
  );
  const { peerDependencies: _peers, devDependencies: _dev, ...rest } = manifest;
  writeFileSync(
    join(folder, "package.json"),
    JSON.stringify({ private: true, type: "module", ...rest, dependencies: { ...others, ...files }, overrides: files }, undefined, 2),
  );
  return runAsync("npm", ["install", "--no-audit", "--no-fund", "--prefer-offline"], folder);
}

if (process.argv[1] === import.meta.filename) {
  const folder = resolve(process.argv[2] ?? join(root, "artefacts/tarballs"));
  console.log(`${packAll(folder).size} packages in ${folder}`);
}
