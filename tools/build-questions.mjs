// Answers the questions of docs/guide/questions.md and saves one figure of each report, by the report's own button, to
// docs/figures/questions. Needs Chromium. Usage: node tools/build-questions.mjs [NAME]
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { themeStyle } from "@finitewidth/plots";
import { launch } from "./chromium.mjs";
import { root, temporaryFolder } from "./workspace.mjs";
import { questionReports } from "./question-reports.mjs";

/** The figure of each report that answers the question. */
const figures = {
  "a-evidence": "log evidence against widths",
  "b-depth": "alignment with the targets against depth",
  "c-tanh": "phases",
  "d-two-modes": "Mixing variable q: density of log q",
  "e-convolution": "log evidence of networks",
  "f-load": "generalisation error against train",
  "i-cumulants": "Output at the first input",
};

/** Colours of the light theme by their values: what a report saves has the values in it. */
const light = Object.fromEntries(
  Array.from(themeStyle.slice(0, themeStyle.indexOf("}")).matchAll(/(--[\w-]+):(#[0-9a-f]{6})\b/g), ([, name, value]) => [value, name]),
);
/** The picture in the colours of whoever looks at it, light or dark. */
const themed = (svg) =>
  svg
    .replaceAll(/#[0-9a-f]{6}\b/g, (value) => (value in light ? `var(${light[value]}, ${value})` : value))
    .replace(/(<svg[^>]*>)/, `$1<style>${themeStyle}</style>`);

const folder = join(root, "docs", "figures", "questions");
const work = temporaryFolder("finitewidth-questions-");
const browser = await launch();
try {
  mkdirSync(folder, { recursive: true });
  for (const { name, url } of questionReports(work, process.argv[2])) {
    const page = await browser.newPage({ viewport: { width: 1400, height: 900 }, colorScheme: "light" });
    await page.goto(url);
    const [saved] = await Promise.all([
      page.waitForEvent("download"),
      page.getByLabel(`Save ${figures[name]} as SVG`).first().dispatchEvent("click"),
    ]);
    const file = join(folder, `${name}.svg`);
    await saved.saveAs(file);
    writeFileSync(file, themed(readFileSync(file, "utf8")));
    await page.close();
    console.log(`docs/figures/questions/${name}.svg`);
  }
} finally {
  await browser.close();
}
