// Installs the workspace when the lockfile, the manifests or Node's major version changed; otherwise returns at once without network.
import { createHash } from "node:crypto";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const stamp = join(root, "node_modules", ".bootstrap");
const pnpm = JSON.parse(readFileSync(join(root, "package.json"), "utf8")).packageManager;

const manifests = ["pnpm-lock.yaml", "pnpm-workspace.yaml", "package.json", "tools/package.json", "verification/package.json"];
for (const name of readdirSync(join(root, "packages"))) {
  if (existsSync(join(root, "packages", name, "package.json"))) manifests.push(`packages/${name}/package.json`);
}
const hash = createHash("sha256").update(process.versions.node.split(".")[0]);
for (const file of manifests) hash.update(file).update(readFileSync(join(root, file)));
const fingerprint = hash.digest("hex");

if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== fingerprint) {
  process.stderr.write(`Installing dependencies with ${pnpm} …\n`);
  const run = spawnSync("npx", ["--yes", "--prefer-offline", pnpm, "install", "--frozen-lockfile", "--prefer-offline"], {
    cwd: root,
    env: { ...process.env, CI: "true" },
    stdio: ["ignore", 2, 2],
    shell: process.platform === "win32",
  });
  if (run.status !== 0) process.exit(run.status ?? 1);
  writeFileSync(stamp, fingerprint);
}
