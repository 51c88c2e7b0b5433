// Checks what would be published: publint, size budgets, no workspace: ranges, licences, no script at installation, the bill of materials
// (artefacts/sbom.cdx.json); then, from tarballs, that the
// README example of every package runs in plain Node with what its install line names and nothing else, with types right under nodenext and
// bundler. Three subsets are installed by npm in empty folders. For the others one installation serves all: each gets a folder that holds
// only its own packages and links to the dependencies that they declare, which is stricter than npm's hoisting. Usage: node
// tools/check-packages.mjs [--keep]
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename, dirname, join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { publint } from "publint";
import { binaries, closure, install, manifests, packAll, run, runAsync } from "./pack.mjs";
import { attempt, finish, problems } from "./problems.mjs";
import { checkInstalled, checkSmall, checkWorkspace } from "./supply-chain.mjs";
import { examplesOf, importsOf, installLineOf } from "./readme-examples.mjs";
import { root, temporaryFolder } from "./workspace.mjs";

/**
 * Kilobytes of a packed tarball, sources and maps included (so linalg holds its three WebAssembly modules twice, 120 kB, and numerics
 * the functions of @stdlib, 60 kB, and cli all of it once more as one file, 800 kB).
 */
const budget = {
  default: 130,
  binary: 1000,
  explore: 640, // the page with its workers and digits: 600
  cli: 1100,
  kernels: 170,
  "large-deviations": 430,
  likelihoods: 160,
  "monte-carlo": 160, // with the control variates of the referee 151
  linalg: 235,
  numerics: 330,
  perturbation: 180,
  posterior: 310,
};

/** Installed by npm alone in an empty folder; the example that imports all of them must run there. */
const installed = [["prior-conv", "posterior"], ["linalg"], ["activations"]];

const short = (name) => name.replace("@finitewidth/", "");
const full = (name) => `@finitewidth/${name}`;
const manifestOf = (name) => [...manifests, ...binaries].find((manifest) => manifest.name === name);
const readme = (name) => readFileSync(join(root, manifestOf(name).folder, "README.md"), "utf8");
const tsc = join(root, "node_modules/typescript-7/bin/tsc");
const noNetwork = pathToFileURL(join(root, "tools/no-network.mjs")).href;
const work = temporaryFolder("finitewidth-pack-");

async function checkTarball(manifest, file) {
  const size = statSync(file).size / 1000;
  const limit = budget[short(manifest.name)] ?? (binaries.includes(manifest) ? budget.binary : budget.default);
  if (size > limit) problems.push(`${manifest.name}: tarball of ${size.toFixed(0)} kB exceeds its budget of ${limit} kB`);
  const { messages } = await publint({ pkgDir: join(root, manifest.folder), strict: true, pack: "npm" });
  for (const message of messages)
    if (message.type !== "suggestion") problems.push(`${manifest.name}: publint ${message.code} at ${message.path.join(".")}`);
  if (run("tar", ["-xOzf", file, "package/package.json"], work).includes('"workspace:'))
    problems.push(`${manifest.name}: a workspace: range is left in the tarball`);
  for (const script of ["preinstall", "install", "postinstall", "prepare"])
    if (manifest.scripts?.[script]) problems.push(`${manifest.name}: runs ${script} at installation`);
  console.log(`${manifest.name.padEnd(34)} ${size.toFixed(1).padStart(6)} kB of ${limit} kB`);
}

const unpacked = join(work, "unpacked");
function unpack(tarballs) {
  for (const [name, file] of tarballs) {
    const target = join(unpacked, short(name));
    mkdirSync(target, { recursive: true });
    run("tar", ["-xzf", file, "-C", target, "--strip-components=1"], work);
  }
}

/**
 * Folder that holds the packages `names` and all of ours that they need, as unpacked from their tarballs, and links to the third-party
 * dependencies that these declare. Their version is the folder's own: the compiler takes packages of one name and version for the same.
 */
function isolate(folder, names, shared) {
  const scope = join(folder, "node_modules/@finitewidth");
  mkdirSync(scope, { recursive: true });
  const needed = closure(names);
  run("cp", ["-al", ...needed.map((name) => join(unpacked, short(name))), scope], folder);
  for (const name of needed) {
    const file = join(scope, short(name), "package.json");
    const manifest = JSON.parse(readFileSync(file, "utf8"));
    rmSync(file);
    writeFileSync(file, JSON.stringify({ ...manifest, version: `${manifest.version}-${basename(folder)}` }));
    for (const dependency of Object.keys(manifest.dependencies ?? {})) {
      const link = join(folder, "node_modules", dependency);
      if (dependency.startsWith("@finitewidth/") || existsSync(link)) continue;
      mkdirSync(dirname(link), { recursive: true });
      symlinkSync(join(shared, "node_modules", dependency), link);
    }
  }
  writeFileSync(join(folder, "package.json"), '{ "private": true, "type": "module" }');
}

/** Examples that wait for the compiler: what each is of, its folder, and whether it is for Node. */
const written = [];
function writeExample(what, folder, code, node) {
  writeFileSync(join(folder, "example.mts"), code);
  written.push({ what, folder, node });
}

/**
 * Compiles all examples under both resolutions, those for Node and the others apart: each finds what is in its own folder, and the
 * libraries are read and checked once. What the compiler says names the example.
 */
async function compileExamples() {
  for (const node of [false, true]) {
    const files = written.filter((one) => one.node === node).map(({ folder }) => relative(work, join(folder, "example.mts")));
    const base = {
      strict: true,
      exactOptionalPropertyTypes: true,
      skipLibCheck: false,
      target: "es2022",
      lib: ["es2023", "dom", "dom.iterable"],
      ...(node ? { typeRoots: [join(root, "node_modules/@types")], types: ["node"] } : { types: [] }),
    };
    for (const resolution of [
      { module: "esnext", moduleResolution: "bundler", noEmit: true },
      { module: "nodenext", moduleResolution: "nodenext" },
    ]) {
      const project = join(work, "tsconfig.json");
      writeFileSync(project, JSON.stringify({ compilerOptions: { ...base, ...resolution }, files }));
      await attempt(`${files.length} examples compile under ${resolution.moduleResolution}, ${node ? "Node's types" : "no types"}`, () =>
        runAsync(process.execPath, [tsc, "-p", project], work),
      );
    }
  }
}

/** Runs an example without network; returns its last line. */
const runExample = async (folder) =>
  (await runAsync(process.execPath, ["--import", noNetwork, "example.mjs"], folder)).trim().split("\n").at(-1);

/** Runs tasks as many at a time as there are cores. */
async function all(tasks) {
  const queue = [...tasks];
  await Promise.all(
    Array.from({ length: availableParallelism() }, async () => {
      for (let task = queue.shift(); task; task = queue.shift()) await task();
    }),
  );
}

try {
  const tarballs = packAll(join(work, "tarballs"));
  for (const manifest of [...manifests, ...binaries]) await checkTarball(manifest, tarballs.get(manifest.name));

  const shared = join(work, "shared");
  await install(
    shared,
    manifests.map((manifest) => manifest.name),
    tarballs,
    { name: "finitewidth-packages", version: manifestOf("@finitewidth/cli").version },
  );
  const bill = join(root, "artefacts/sbom.cdx.json");
  const supply = checkInstalled(shared, bill);
  const workspace = checkWorkspace();
  problems.push(...supply.problems, ...workspace.problems);
  console.log(`licences and installation scripts: ${supply.others} packages beside ours, ${workspace.count} with the tools; ${bill}`);
  const small = join(work, "small");
  await install(small, ["core", "posterior"].map(full), tarballs);
  const { count, problems: many } = checkSmall(small);
  problems.push(...many);
  console.log(`core and posterior: ${count} packages`);

  const alone = installed.map((subset) => async () => {
    const names = subset.map(full);
    const folder = join(work, subset.join("+"));
    const what = `npm install ${names.join(" ")}`;
    await attempt(what, async () => {
      await install(folder, names, tarballs);
      const code = names
        .flatMap((name) => examplesOf(readme(name)))
        .find((example) => names.every((name) => importsOf(example).includes(name)));
      if (code === undefined) throw new Error("no README has an example that imports all of them");
      writeExample(what, folder, code, false);
    });
  });
  await all(alone);
  unpack(tarballs);
  for (const { name, nx } of manifests) {
    const text = readme(name);
    const names = installLineOf(text);
    const list = examplesOf(text);
    if (!names.includes(name)) problems.push(`README of ${name}: its first npm install line does not name it`);
    if (list.length === 0) problems.push(`README of ${name}: has no example`);
    for (const [i, code] of list.entries()) {
      const folder = join(work, "readme", `${short(name)}-${i}`);
      mkdirSync(folder, { recursive: true });
      isolate(folder, [...names, ...(i === 0 ? [] : importsOf(code))], shared);
      writeExample(`README of ${name}, example ${i + 1}`, folder, code, nx.tags.includes("env:node"));
    }
  }
  await compileExamples();
  await all(
    written.map(
      ({ what, folder }) =>
        () =>
          attempt(what, () => runExample(folder)),
    ),
  );
} catch (error) {
  problems.push(error.message);
}
finish("packages are fit to publish");
