// Checks what would be published: publint, size budgets, no workspace: ranges; installs subsets from tarballs in empty folders and runs the README
// example of each there; types under nodenext and bundler. Usage: node tools/check-packages.mjs [--keep]
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { publint } from "publint";
import { install, manifests, packAll, root, run } from "./pack.mjs";

/** Bytes of a packed tarball, sources and maps included. */
const budget = { default: 160_000, linalg: 450_000 };
/** Each subset is installed alone; the README example of its last package must run. */
const subsets = [["core"], ["linalg"], ["random"], ["activations"], ["prior-fc", "posterior"], ["prior-conv", "posterior"], ["prior-fc", "large-deviations"], ["prior-fc", "perturbation"], ["prior-fc", "monte-carlo"], ["workers"], ["plots"]];

const work = mkdtempSync(join(tmpdir(), "finitewidth-pack-"));
const problems = [];
try {
  const tarballs = packAll(join(work, "tarballs"));
  for (const manifest of manifests) {
    const file = tarballs.get(manifest.name);
    const size = statSync(file).size;
    const limit = budget[manifest.name.replace("@finitewidth/", "")] ?? budget.default;
    if (size > limit) problems.push(`${manifest.name}: tarball of ${size} bytes exceeds its budget of ${limit}`);
    const { messages } = await publint({ pkgDir: join(root, manifest.folder), strict: true, pack: "npm" });
    for (const message of messages) if (message.type !== "suggestion") problems.push(`${manifest.name}: publint ${message.code} at ${message.path.join(".")}`);
    if (run("tar", ["-xOzf", file, "package/package.json"], work).includes('"workspace:')) problems.push(`${manifest.name}: a workspace: range is left in the tarball`);
    if (manifest.scripts?.install || manifest.scripts?.postinstall) problems.push(`${manifest.name}: runs a script at installation`);
    console.log(`${manifest.name.padEnd(34)} ${(size / 1024).toFixed(1).padStart(7)} kB of ${(limit / 1024).toFixed(0)} kB`);
  }
  for (const subset of subsets) {
    const names = subset.map((name) => `@finitewidth/${name}`);
    const folder = join(work, subset.join("+"));
    install(folder, names, tarballs);
    const main = names.at(-1);
    const readme = readFileSync(join(root, manifests.find((manifest) => manifest.name === main).folder, "README.md"), "utf8");
    const imports = (text) => [...text.matchAll(/from "(@finitewidth\/[a-z-]+)/g)].map((match) => match[1]);
    const example = [...readme.matchAll(/```(?:ts|js)\n([\s\S]*?)```/g)].map((match) => match[1]).find((text) => imports(text).includes(main));
    try {
      if (example === undefined) throw new Error("README has no example that imports it");
      // Examples are TypeScript without annotations that Node could not read, except where they say so.
      writeFileSync(join(folder, "example.mts"), example);
      for (const resolution of ["nodenext", "bundler"]) {
        run(process.execPath, [join(root, "node_modules/typescript-7/bin/tsc"), "--noEmit", "--strict", "--skipLibCheck", "--target", "es2022", "--module", resolution === "bundler" ? "esnext" : "nodenext", "--moduleResolution", resolution, "--lib", "es2023,dom", "--types", "", "example.mts"], folder);
      }
      run(process.execPath, [join(root, "node_modules/typescript-7/bin/tsc"), "--target", "es2022", "--module", "nodenext", "--skipLibCheck", "--lib", "es2023,dom", "--types", "", "example.mts"], folder);
      const lines = run(process.execPath, ["example.mjs"], folder).trim().split("\n");
      console.log(`${subset.join(" + ")}: ${lines.at(-1)}`);
    } catch (error) {
      problems.push(`${subset.join(" + ")} alone: ${error.message}`);
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
