// Writes the project references of every tsconfig.json from the workspace dependencies in package.json; with --check only compares.
// Usage: node sync-references.mjs [--check] [workspace root]
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const check = process.argv.includes("--check");
const root = process.argv.slice(2).find((argument) => argument !== "--check") ?? dirname(dirname(fileURLToPath(import.meta.url)));
const folders = ["verification", ...readdirSync(join(root, "packages")).map((name) => `packages/${name}`)].filter((folder) =>
  existsSync(join(root, folder, "tsconfig.json")),
);
const folderOf = new Map(folders.map((folder) => [JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8")).name, folder]));

let stale = 0;
for (const folder of folders) {
  const manifest = JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8"));
  const file = join(root, folder, "tsconfig.json");
  const config = JSON.parse(readFileSync(file, "utf8"));
  const references = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies, ...manifest.optionalDependencies })
    .filter((name) => folderOf.has(name))
    .map((name) => ({ path: relative(folder, folderOf.get(name)) }))
    .sort((a, b) => a.path.localeCompare(b.path));
  const sorted = [...(config.references ?? [])].sort((a, b) => a.path.localeCompare(b.path));
  if (JSON.stringify(sorted) === JSON.stringify(references)) continue;
  stale += 1;
  if (check) console.error(`${folder}/tsconfig.json: references differ from package.json; run node tools/sync-references.mjs`);
  else writeFileSync(file, `${JSON.stringify({ ...config, references }, undefined, 2)}\n`);
}
if (check && stale > 0) process.exit(1);
