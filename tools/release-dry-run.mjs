// What a release would publish: builds, packs and checks every package, then prints the versions and the changelogs that the changesets
// would produce. Those are computed in a copy: the working tree stays as it is. Usage: node tools/release-dry-run.mjs [--no-check]
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { manifests, run } from "./pack.mjs";
import { root, temporaryFolder } from "./workspace.mjs";

const changesets = join(root, "node_modules/@changesets/cli/bin.js");
if (!process.argv.includes("--no-check")) {
  const check = spawnSync(process.execPath, [join(root, "tools/check-packages.mjs")], { cwd: root, stdio: "inherit" });
  if (check.status !== 0) process.exit(check.status ?? 1);
}

console.log(run(process.execPath, [changesets, "status", "--verbose"], root));

const copy = temporaryFolder("finitewidth-release-");
for (const file of ["package.json", "pnpm-workspace.yaml", "pnpm-lock.yaml", ".changeset"])
  cpSync(join(root, file), join(copy, file), { recursive: true });
for (const folder of [...manifests.map((manifest) => manifest.folder), "tools"]) {
  mkdirSync(join(copy, folder), { recursive: true });
  for (const file of ["package.json", "CHANGELOG.md"])
    if (existsSync(join(root, folder, file))) cpSync(join(root, folder, file), join(copy, folder, file));
}
symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
run(process.execPath, [changesets, "version"], copy);
for (const { name, folder, version } of manifests) {
  const next = JSON.parse(readFileSync(join(copy, folder, "package.json"), "utf8")).version;
  if (next === version) continue;
  const before = existsSync(join(root, folder, "CHANGELOG.md")) ? readFileSync(join(root, folder, "CHANGELOG.md"), "utf8") : "";
  const after = readFileSync(join(copy, folder, "CHANGELOG.md"), "utf8");
  const added = after.slice(0, after.length - before.replace(/^# .*\n+/, "").length).trim();
  console.log(`── ${name} ${version} → ${next}\n${added}\n`);
}
