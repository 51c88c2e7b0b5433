// Builds the add-on of @finitewidth/linalg-native for this machine and puts it with its licences into the package of the platform; with
// --test, checks the source of the one that was built and runs the package's tests on this Node and on Node 24 (others may have it open).
// Exit status 3 where cargo is not installed or its registry cannot be reached, or nothing was built: everything else works without the
// add-on. Usage: node tools/build-native.mjs [--test]
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { isAllowed, permissive } from "./supply-chain.mjs";
import { root } from "./workspace.mjs";

const crate = join(root, "packages/linalg-native/crate");
const musl = process.platform === "linux" && process.report.getReport().header.glibcVersionRuntime === undefined;
const suffix = { linux: musl ? "-musl" : "-gnu", win32: "-msvc" }[process.platform] ?? "";
const platform = join(root, `packages/linalg-native/platforms/${process.platform}-${process.arch}${suffix}`);

function run(command, args, cwd = crate) {
  const { status, error } = spawnSync(command, args, { cwd, stdio: "inherit" });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${error?.message ?? `exit status ${status}`}`);
}
const cargo = (...args) => spawnSync("cargo", args, { cwd: crate, encoding: "utf8", maxBuffer: 1 << 26 });

function skip(reason) {
  console.log(`no native add-on: ${reason}`);
  process.exit(3);
}

if (process.argv.includes("--test")) {
  if (!existsSync(join(platform, "linalg.node"))) skip("there is none to test");
  if (cargo("fmt", "--version").status === 0) run("cargo", ["fmt", "--check"]);
  const vitest = [join(root, "node_modules/vitest/vitest.mjs"), "run"];
  const tested = join(root, "packages/linalg-native");
  run(process.execPath, vitest, tested);
  run("npx", ["--yes", "--prefer-offline", "-p", "node@24", "--", "node", ...vitest], tested);
  process.exit(0);
}

if (cargo("--version").status !== 0) skip("cargo is not installed (https://rustup.rs)");
const fetched = cargo("fetch", "--locked");
if (fetched.status !== 0) skip(`its dependencies cannot be had\n${fetched.stderr}`);
run("cargo", ["build", "--release", "--locked"]);

// What is compiled in, with its licences.
const { packages } = JSON.parse(cargo("metadata", "--locked", "--format-version", "1").stdout);
const listed = cargo("tree", "--locked", "-e", "normal,no-proc-macro", "--prefix", "none", "--format", "{p}").stdout.split("\n");
const names = new Set(listed.map((line) => line.split(" ").slice(0, 2).join(" ")));
const texts = packages
  .filter(({ name, version, source }) => source !== null && names.has(`${name} v${version}`))
  .sort((a, b) => a.name.localeCompare(b.name))
  .map(({ name, version, license, manifest_path }) => {
    if (!isAllowed(license.replaceAll("/", " OR "), permissive)) throw new Error(`${name} ${version}: licence ${license}`);
    const folder = dirname(manifest_path);
    const files = readdirSync(folder).filter((entry) => /^licen[cs]e/i.test(entry));
    return `${name} ${version} (${license})\n\n${files.map((file) => readFileSync(join(folder, file), "utf8").trim()).join("\n\n")}\n`;
  });
writeFileSync(join(platform, "licences.txt"), texts.join(`\n${"-".repeat(80)}\n\n`));
const library = { win32: "finitewidth_linalg_native.dll", darwin: "libfinitewidth_linalg_native.dylib" }[process.platform];
copyFileSync(join(crate, "target/release", library ?? "libfinitewidth_linalg_native.so"), join(platform, "linalg.node"));
console.log(`${platform}/linalg.node, ${texts.length} crates compiled in`);
