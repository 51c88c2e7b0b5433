// Writes docs/gallery.md and its pictures from the folders that `finitewidth reproduce --all` has filled, at quick size and, for those that
// are there, at the sizes of the papers. Usage: node tools/build-gallery.mjs QUICK [PAPER]
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { plugin } from "@finitewidth/figures";
import { root } from "./workspace.mjs";

const [quick, paper] = process.argv.slice(2);
const pictures = join(root, "docs", "figures", "reproduce");
mkdirSync(pictures, { recursive: true });
const read = (folder, name) => {
  const file = folder && join(folder, name, "figure.json");
  return file && existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : undefined;
};
const time = (seconds) => (seconds < 90 ? `${Math.max(1, Math.round(seconds))} s` : `${(seconds / 60).toFixed(1)} min`);
/** Markdown would take what stands between two underscores or stars, and formulas, for its own. */
const plain = (text) => text.replaceAll(/[_*$<]/g, (mark) => `\\${mark}`);

const rows = [];
const sections = [];
for (const figure of plugin.figures) {
  const { name, summary, paper: source, statement, differences } = figure;
  const small = read(quick, name);
  const large = read(paper, name);
  if (!small) throw new Error(`${quick}/${name}/figure.json: not there; run finitewidth reproduce --all --out ${quick}`);
  const shown = large && figure.checks(large.numbers).every(({ holds }) => holds) ? "paper" : "quick";
  copyFileSync(join(shown === "paper" ? paper : quick, name, "figure.svg"), join(pictures, `${name}.svg`));
  rows.push(
    `| [${name}](#${name}) | ${plain(summary)} | ${time(small.processorSeconds)} | ${large ? time(large.processorSeconds) : "–"} |`,
  );
  const { numbers } = shown === "paper" ? large : small;
  const captions = figure.pictures(numbers).map(({ caption }) => plain(caption));
  const checks = figure
    .checks(numbers)
    .map((check) => `| ${plain(check.name)} | ${plain(check.expected)} | ${plain(check.found)} |`)
    .join("\n");
  sections.push(`## ${name}

${plain(statement)} (${plain(source)})

![${plain(summary)}](figures/reproduce/${name}.svg)

${captions.join(" ")}

**What differs.** ${plain(differences)} The picture is of ${shown} size.

| check | expected | found |
| --- | --- | --- |
${checks}
`);
}
writeFileSync(
  join(root, "docs", "gallery.md"),
  `# Figures of the papers

The theory is known by its figures. Each of these is computed again by one command, \`finitewidth reproduce NAME\`, which writes the picture, its numbers, its experiments as files to run, and checks that the numbers show what the paper reports. \`finitewidth reproduce\` lists them, \`--all\` makes this gallery, \`--size paper\` takes the sizes of the papers. Every check fails under a deliberate fault (no dependence on the width, the wrong power, …); CI runs them all at quick size. A plug-in can [add figures](guide/write-a-plugin.md).

Times are processor seconds of all threads; "–": not run at the size of the paper.

| figure | shows | quick | paper |
| --- | --- | --- | --- |
${rows.join("\n")}

${sections.join("\n")}`,
);
