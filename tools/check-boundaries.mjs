// Dependency arrows point one way: a package may depend only on layers below its own, prior models and theories never on each other,
// browser-capable packages never on Node-only ones, published packages never on private ones.
// Usage: node check-boundaries.mjs <package folder relative to the workspace root> [workspace root]
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const workspace = process.argv[3] ?? dirname(dirname(fileURLToPath(import.meta.url)));
const allowed = {
  core: [],
  linalg: ["core"],
  kernels: ["core", "linalg", "kernels"],
  priors: ["core", "linalg", "kernels"],
  inference: ["core", "linalg", "kernels"],
  experiment: ["core", "linalg", "kernels", "inference"],
  verification: ["core", "linalg", "kernels", "priors", "inference", "experiment"],
  page: ["core", "linalg", "kernels", "priors", "inference", "experiment"],
  application: ["core", "linalg", "kernels", "priors", "inference", "experiment", "verification", "page"],
  tools: ["core", "linalg", "kernels", "priors", "inference", "experiment", "verification", "page", "application"],
};

const folders = ["tools", "verification", ...readdirSync(join(workspace, "packages")).map((name) => `packages/${name}`)];
const manifests = new Map();
for (const folder of folders) {
  const file = join(workspace, folder, "package.json");
  if (existsSync(file)) {
    const manifest = JSON.parse(readFileSync(file, "utf8"));
    manifests.set(manifest.name, { ...manifest, folder });
  }
}
const tag = (manifest, prefix) => manifest.nx?.tags?.find((entry) => entry.startsWith(prefix))?.slice(prefix.length);

const self = [...manifests.values()].find((manifest) => manifest.folder === process.argv[2]);
if (!self) throw new Error(`no package in ${process.argv[2]}`);
const problems = [];
const layer = tag(self, "layer:");
if (!(layer in allowed)) problems.push(`tag "layer:${layer}" is unknown; one of ${Object.keys(allowed).join(", ")} expected`);
for (const name of Object.keys({ ...self.dependencies, ...self.peerDependencies })) {
  const target = manifests.get(name);
  if (!target) continue;
  const targetLayer = tag(target, "layer:");
  if (!allowed[layer]?.includes(targetLayer)) problems.push(`layer ${layer} must not depend on ${name} (layer ${targetLayer})`);
  if (tag(self, "env:") === "any" && tag(target, "env:") === "node")
    problems.push(`runs in browsers but depends on ${name}, which needs Node`);
  if (!self.private && target.private) problems.push(`is published but depends on the private ${name}`);
}
const imported = /(?:from|import)\s*\(?\s*["'](@finitewidth\/[a-z-]+)[^"']*["']/g;
const sources = (folder) =>
  existsSync(folder)
    ? readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
        entry.isDirectory() ? sources(join(folder, entry.name)) : /\.(m?ts|mjs)$/.test(entry.name) ? [join(folder, entry.name)] : [],
      )
    : [];
for (const file of sources(join(workspace, self.folder, "src"))) {
  for (const [, name] of readFileSync(file, "utf8").matchAll(imported)) {
    if (name !== self.name && !(name in { ...self.dependencies, ...self.peerDependencies }))
      problems.push(`${file} imports ${name}, which package.json does not declare`);
  }
}
if (problems.length > 0) {
  for (const problem of problems) console.error(`${self.name}: ${problem}`);
  process.exit(1);
}
