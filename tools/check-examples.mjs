// Runs every TypeScript example of the documentation and of the READMEs (fences marked ts that import something) against the sources.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const tools = dirname(fileURLToPath(import.meta.url));
const root = dirname(tools);
const pages = (folder) =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    ["node_modules", "dist", "site", "plugins", "src", "test"].includes(entry.name) ? [] : entry.isDirectory() ? pages(join(folder, entry.name)) : /(?<!CHANGELOG)\.md$/.test(entry.name) ? [join(folder, entry.name)] : [],
  );
const files = [join(root, "README.md"), ...pages(join(root, "docs")), ...pages(join(root, "packages")), ...pages(join(root, "verification"))];
// Inside tools/, where every workspace package resolves.
const work = mkdtempSync(join(tools, ".examples-"));
let [ran, failed] = [0, 0];
try {
  for (const file of files) {
    const examples = [...readFileSync(file, "utf8").matchAll(/```ts\n([\s\S]*?)```/g)].map((match) => match[1]).filter((code) => /^import .* from "/m.test(code));
    for (const [i, code] of examples.entries()) {
      const script = join(work, `${relative(root, file).replaceAll(/[/.]/g, "-")}-${i}.mts`);
      writeFileSync(script, code);
      const run = spawnSync(process.execPath, ["--conditions", "@finitewidth/source", "--import", pathToFileURL(join(tools, "ts-preload.mjs")).href, script], { cwd: work, encoding: "utf8", timeout: 120_000 });
      ran += 1;
      if (run.status !== 0) {
        failed += 1;
        console.error(`✗ ${relative(root, file)}, example ${i + 1}:\n${run.stdout}${run.stderr}`);
      }
    }
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
console.log(`${ran - failed} of ${ran} examples run`);
process.exit(failed === 0 ? 0 : 1);
