// Runs every example of the documentation and of the READMEs against what was built: TypeScript fences that import something, and JSON
// fences that are whole experiments, through the command line. Experiment files in docs/examples and packages/cli/examples are validated.
// Usage: node check-examples.mjs (after everything was built)
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, relative } from "node:path";
import { parseExperiment } from "@finitewidth/experiment";
import { transform } from "esbuild";
import { runAsync } from "./pack.mjs";
import { examplesOf } from "./readme-examples.mjs";
import { commandLine, root, temporaryFolder } from "./workspace.mjs";

const pages = (folder) =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    ["node_modules", "dist", "site", "plugins", "src", "test"].includes(entry.name)
      ? []
      : entry.isDirectory()
        ? pages(join(folder, entry.name))
        : /(?<!CHANGELOG)\.md$/.test(entry.name)
          ? [join(folder, entry.name)]
          : [],
  );
const files = [join(root, "README.md"), ...["docs", "packages", "verification"].flatMap((folder) => pages(join(root, folder)))];
const experimentFiles = ["docs/examples", "packages/cli/examples"].flatMap((folder) =>
  readdirSync(join(root, folder))
    .filter((name) => name.endsWith(".json"))
    .map((name) => join(root, folder, name)),
);

/** JSON fences that hold a whole experiment. */
function experimentsOf(text) {
  return [...text.matchAll(/```jsonc?\n([\s\S]*?)```/g)].flatMap(([, code]) => {
    try {
      const value = JSON.parse(code);
      return value.data && value.methods ? [code] : [];
    } catch {
      return [];
    }
  });
}

// Inside tools/, where every workspace package resolves.
const work = temporaryFolder(".examples-", import.meta.dirname);
const execute = (...argv) => runAsync(process.execPath, argv, work);
const examples = [];
for (const file of files) {
  const page = relative(root, file);
  const name = page.replaceAll(/[/.]/g, "-");
  const text = readFileSync(file, "utf8");
  for (const [i, code] of examplesOf(text).entries())
    examples.push({
      what: `${page}, example ${i + 1}`,
      async run() {
        const script = join(work, `${name}-${i}.mjs`);
        writeFileSync(script, (await transform(code, { loader: "ts", tsconfigRaw: "{}" })).code);
        await execute(script);
      },
    });
  for (const [i, code] of experimentsOf(text).entries())
    examples.push({
      what: `${page}, experiment ${i + 1}`,
      async run() {
        const out = `${name}-${i}`;
        writeFileSync(join(work, `${out}.json`), code);
        await execute(commandLine, "run", `${out}.json`, "--quiet", "--workers", "0", "--referee", "0.3", "--out", out);
      },
    });
}
for (const file of experimentFiles)
  examples.push({ what: relative(root, file), run: async () => void parseExperiment(JSON.parse(readFileSync(file, "utf8"))) });

let failed = 0;
const queue = [...examples];
await Promise.all(
  Array.from({ length: availableParallelism() }, async () => {
    for (let example = queue.shift(); example; example = queue.shift()) {
      try {
        await example.run();
      } catch (error) {
        failed += 1;
        console.error(`✗ ${example.what}:\n${error.message}`);
      }
    }
  }),
);
console.log(`${examples.length - failed} of ${examples.length} examples run`);
process.exit(failed === 0 ? 0 : 1);
