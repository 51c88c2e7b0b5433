// Opens the reports of the experiments in docs/examples/questions, the report of a small verification and the documentation site in
// headless Chromium, wide (1400 px) and narrow (390 px), light and dark: axe must find nothing serious, no page may scroll sideways, no
// script may fail. Screenshots go to artefacts/pages. Exit status 3: no Chromium (CHROMIUM names one elsewhere) or no site (node
// tools/build-docs.mjs makes it). Usage: node tools/check-pages.mjs [--only TEXT] [--screenshots]
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { accessibilityFaults, launch } from "./chromium.mjs";
import { run } from "./pack.mjs";
import { finish, problems } from "./problems.mjs";
import { questionReports } from "./question-reports.mjs";
import { commandLine, root, temporaryFolder } from "./workspace.mjs";

const { values: options } = parseArgs({
  options: { only: { type: "string", default: "" }, screenshots: { type: "boolean", default: false } },
});
const site = join(root, "docs", "site");
if (!existsSync(join(site, "index.html"))) {
  console.error("no documentation site; node tools/build-docs.mjs makes it");
  process.exit(3);
}
const browser = await launch();
const work = temporaryFolder("finitewidth-pages-");
const folder = join(root, "artefacts", "pages");
if (options.screenshots) mkdirSync(folder, { recursive: true });

const everyView = [1400, 390].flatMap((width) => ["light", "dark"].map((colorScheme) => [width, colorScheme]));
/** Pages of the site have one frame and one style sheet, which are seen in every view on the first of them. */
const oppositeViews = [
  [1400, "light"],
  [390, "dark"],
];

/** Name, address and views of every page. */
function* pages() {
  const wanted = (name) => name.includes(options.only);
  for (const { name, url } of questionReports(work, options.only, { roughly: true })) yield [name, url, everyView];
  if (wanted("verification")) {
    run(
      process.execPath,
      [commandLine, "verify", "--filter", "linear, two hidden layers", "--out", join(work, "verification"), "--quiet"],
      root,
    );
    yield ["verification", pathToFileURL(join(work, "verification", "report.html")).href, everyView];
  }
  let views = everyView;
  for (const page of readdirSync(site, { recursive: true }).filter((name) => name.endsWith(".html") && !/^(?:api|explore)\b/.test(name))) {
    const name = `docs-${page.replaceAll(/[/\\]/g, "-").slice(0, -5)}`;
    if (!wanted(name)) continue;
    yield [name, pathToFileURL(join(site, page)).href, views];
    views = oppositeViews;
  }
}

/** What is wrong with a page as it stands in the window. Where its width was seen before, in other colours, only colours are looked at. */
async function faults(page, seen) {
  const wider = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  // their texts have 12 pixels at full size
  const small = await page.evaluate(() =>
    [...document.images]
      .filter(({ src, naturalWidth, width }) => src.endsWith(".svg") && width < 0.7 * naturalWidth)
      .map(({ src }) => src.replace(/.*\//, "")),
  );
  const rules = seen ? { runOnly: { type: "tag", values: ["cat.color"] } } : {};
  return [
    ...(wider > 0 ? [`${wider} px wider than the window`] : []),
    ...(small.length > 0 ? [`pictures too small to read: ${small.join(", ")}`] : []),
    ...(await accessibilityFaults(page, rules)),
  ];
}

let count = 0;
try {
  for (const [name, url, views] of pages()) {
    const page = await browser.newPage();
    let where = name;
    page.on("pageerror", (error) => problems.push(`${where}: ${error.message}`));
    await page.goto(url);
    const widths = new Set();
    for (const [width, colorScheme] of views) {
      where = `${name}, ${width} px, ${colorScheme}`;
      await page.setViewportSize({ width, height: 900 });
      await page.emulateMedia({ colorScheme });
      // the page hears of its new size with the next frame
      await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
      problems.push(...(await faults(page, widths.has(width))).map((fault) => `${where}: ${fault}`));
      if (options.screenshots) await page.screenshot({ path: join(folder, `${name}-${width}-${colorScheme}.png`), fullPage: true });
      widths.add(width);
      count++;
    }
    await page.close();
  }
} finally {
  await browser.close();
}
if (count === 0) problems.push(`no page is called ${options.only}`);
finish(`${count} views of pages are as they should be`);
