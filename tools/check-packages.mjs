// Packs every published package, checks the tarballs (publint, size budget, no workspace: ranges) and installs chosen subsets in empty folders,
// where the first example of each README runs. Usage: node tools/check-packages.mjs [--keep]
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { publint } from "publint";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const pnpm = JSON.parse(readFileSync(join(root, "package.json"), "utf8")).packageManager;
/** Bytes of a packed tarball; sources and declaration maps included. */
const budget = { default: 150_000, linalg: 400_000 };

const folders = ["verification", ...readdirSync(join(root, "packages")).map((name) => `packages/${name}`)].filter((folder) => existsSync(join(root, folder, "package.json")));
const manifests = folders.map((folder) => ({ folder, ...JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8")) })).filter((manifest) => !manifest.private);
const work = mkdtempSync(join(tmpdir(), "finitewidth-pack-"));
const tarballs = join(work, "tarballs");
mkdirSync(tarballs);
const problems = [];
const run = (command, args, cwd) => {
  const result = spawnSync(command, args, { cwd, encoding: "utf8", env: { ...process.env, CI: "true" } });
  if (result.status !== 0) throw new Error(`${command} ${args.join(" ")} in ${cwd}:\n${result.stdout}\n${result.stderr}`);
  return result.stdout;
};

try {
  run(process.execPath, [join(root, "node_modules/nx/dist/bin/nx.js"), "run-many", "-t", "build"], root);
  const packed = new Map();
  for (const manifest of manifests) {
    const name = manifest.name.replace("@finitewidth/", "");
    run("npx", ["--yes", "--prefer-offline", pnpm, "pack", "--pack-destination", tarballs], join(root, manifest.folder));
    const file = join(tarballs, `finitewidth-${name}-${manifest.version}.tgz`);
    packed.set(manifest.name, file);
    const size = statSync(file).size;
    const limit = budget[name] ?? budget.default;
    if (size > limit) problems.push(`${manifest.name}: tarball of ${size} bytes exceeds its budget of ${limit}`);
    const { messages } = await publint({ pkgDir: join(root, manifest.folder), strict: true, pack: "npm" });
    for (const message of messages) if (message.type !== "suggestion") problems.push(`${manifest.name}: publint ${message.code} at ${message.path.join(".")}`);
    if (run("tar", ["-xOzf", file, "package/package.json"], work).includes('"workspace:')) problems.push(`${manifest.name}: a workspace: range is left in the tarball`);
    console.log(`${manifest.name.padEnd(36)} ${(size / 1024).toFixed(1).padStart(7)} kB`);
  }

  /** All workspace packages that some packages need. */
  const closure = (names) => {
    const found = new Set();
    const visit = (name) => {
      if (found.has(name) || !packed.has(name)) return;
      found.add(name);
      for (const dependency of Object.keys(manifests.find((manifest) => manifest.name === name).dependencies ?? {})) visit(dependency);
    };
    names.forEach(visit);
    return [...found];
  };
  const subsets = [["linalg"], ["activations"], ["prior-fc", "posterior"], ["prior-conv", "posterior"], ["large-deviations", "prior-fc"], ["perturbation", "prior-fc"], ["monte-carlo", "prior-fc"]];
  for (const subset of subsets) {
    const names = subset.map((name) => `@finitewidth/${name}`);
    const folder = join(work, subset.join("+"));
    mkdirSync(folder);
    // Dependencies between our packages point at the tarballs too: none of them is published yet.
    const files = Object.fromEntries(closure(names).map((name) => [name, `file:${packed.get(name)}`]));
    writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module", dependencies: files, overrides: files }));
    run("npm", ["install", "--no-audit", "--no-fund", "--prefer-offline"], folder);
    const needsBoth = subset.length > 1;
    const main = names.at(needsBoth && subset[1] === "posterior" ? 1 : 0);
    const readme = readFileSync(join(root, manifests.find((manifest) => manifest.name === main).folder, "README.md"), "utf8");
    const examples = [...readme.matchAll(/```(?:ts|js)\n([\s\S]*?)```/g)].map((match) => match[1]);
    const runnable = examples.find((text) => [...text.matchAll(/from "(@finitewidth\/[a-z-]+)/g)].every((match) => files[match[1]]) && text.includes("import "));
    writeFileSync(join(folder, "imports.mjs"), names.map((name) => `console.log(${JSON.stringify(name)}, Object.keys(await import(${JSON.stringify(name)})).length);`).join("\n"));
    console.log(run(process.execPath, ["imports.mjs"], folder).trim());
    if (runnable === undefined) problems.push(`${main}: README has no example that runs with ${subset.join(" + ")} alone`);
    else {
      writeFileSync(join(folder, "example.mjs"), runnable);
      console.log(`${subset.join(" + ")}: ${run(process.execPath, ["example.mjs"], folder).trim().split("\n").at(-1)}`);
    }
  }
} catch (error) {
  problems.push(error.message);
} finally {
  if (!process.argv.includes("--keep")) rmSync(work, { recursive: true, force: true });
}
for (const problem of problems) console.error(`✗ ${problem}`);
console.log(problems.length === 0 ? "packages are fit to publish" : `${problems.length} problems`);
process.exit(problems.length === 0 ? 0 : 1);
