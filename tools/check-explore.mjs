// The interactive page in headless Chromium: every control, the lessons, dropped files and bad ones, links that give Node's numbers, the
// latest state winning, axe, narrow and dark, reduced motion. Measures slider to picture, the longest block, first paint and size; these
// are figures to report, not to hold a busy machine to. Screenshots go to artefacts/explore; --figures puts those of the documentation in
// their place. Exit status 3: there is no Chromium. Usage: node tools/check-explore.mjs [--figures] [--built] [--only=TEXT]
import { mkdirSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { createRegistry } from "@finitewidth/core";
import { runExperiment } from "@finitewidth/experiment";
import { decodeDigits, encodeState, experimentOf, initialState, lessons, rowsOfChoice } from "@finitewidth/explore";
import { referenceBackend, setBackend } from "@finitewidth/linalg";
import { standardPlugins } from "@finitewidth/verification";
import { accessibilityFaults, findChromium, launch, serveFolder } from "./chromium.mjs";
import { check, driveControls, driveNetwork, driveRest, settled, until } from "./explore-controls.mjs";
import { longestTask, timeSlider, told } from "./explore-timing.mjs";
import { buildAll } from "./pack.mjs";
import { attempt, finish, problems } from "./problems.mjs";
import { root } from "./workspace.mjs";

const executablePath = findChromium();
if (!process.argv.includes("--built")) buildAll("@finitewidth/explore");
const folder = join(root, "packages/explore/page");
const pictures = join(root, process.argv.includes("--figures") ? "docs/figures" : "artefacts/explore");
mkdirSync(pictures, { recursive: true });
const ui = "document.querySelector('fw-explore')";
const digits = decodeDigits(readFileSync(join(folder, "digits.bin")));
const registry = createRegistry(standardPlugins);
const figures = {};

const kilobytes = (files) => files.reduce((sum, file) => sum + gzipSync(readFileSync(join(folder, file))).length, 0) / 1000;
const assets = readdirSync(join(folder, "assets")).map((name) => `assets/${name}`);
figures["kB gzipped until the first answer"] = kilobytes(["index.html", ...assets.filter((name) => /index-|worker-/.test(name))]).toFixed(
  0,
);
figures["kB gzipped with all that is loaded later"] = kilobytes(["index.html", ...assets]).toFixed(0);

const server = await serveFolder(folder);
const browser = await launch(executablePath);

async function open(hash = "", { width = 1400, scheme = "light", motion = "no-preference", traced = false } = {}) {
  const context = await browser.newContext({
    viewport: { width, height: 900 },
    colorScheme: scheme,
    reducedMotion: motion,
    acceptDownloads: true,
  });
  const page = await context.newPage();
  page.on("pageerror", (error) => problems.push(`page: ${error.stack ?? error.message}`));
  await page.addInitScript(() => {
    globalThis.blocks = [];
    new PerformanceObserver((list) => globalThis.blocks.push(...list.getEntries().map(({ duration }) => duration))).observe({
      type: "longtask",
    });
  });
  const load = async () => {
    await page.goto(server.url + hash);
    await settled(page);
  };
  if (!traced) await load();
  else {
    const block = await longestTask(page, load);
    figures["ms of processor time of the longest task until the first answers"] = block.toFixed(0);
  }
  return page;
}

/** Numbers of the quick theories, of the page and of Node. */
const inPage = (page) =>
  page.evaluate(
    `Object.fromEntries([...${ui}.session.answers.solved].filter(([, one]) => one.status === "ok").map(([method, one]) => [method, { logEvidence: one.logEvidence, mean: [...one.mean], variance: [...one.variance] }]))`,
  );
async function inNode(state) {
  const { steps } = await runExperiment(
    { ...experimentOf(state, rowsOfChoice(state.data, digits, state.seed)), referee: false },
    { registry },
  );
  return Object.fromEntries(
    steps[0].problems[0].outcomes.flatMap((one) =>
      one.status === "ok"
        ? [
            [
              one.method,
              { logEvidence: one.posterior.logEvidence, mean: [...one.predictive.mean.data], variance: [...one.predictive.variance.data] },
            ],
          ]
        : [],
    ),
  );
}

/** Numbers of Node and of its reference backend, worked out once for a state. */
const worked = new Map();
function numbersOf(state) {
  const link = encodeState(state);
  const work = async () => {
    const expected = await inNode(state);
    const usual = setBackend(referenceBackend);
    return { expected, other: await inNode(state).finally(() => setBackend(usual)) };
  };
  return worked.get(link) ?? worked.set(link, work()).get(link);
}

/**
 * Both agree to 1e-12, or to ten times what two backends of Node differ by. The Hessian of deep saddles is taken by differences of the
 * gradient: the log evidence holds seven digits there, and browsers' elementary functions differ from Node's in the last.
 */
async function compare(what, page, state) {
  const found = await inPage(page);
  const { expected, other } = await numbersOf(state);
  for (const [method, numbers] of Object.entries(expected))
    for (const quantity of Object.keys(numbers)) {
      const [a, b, c] = [expected, found, other].map((side) => [side[method]?.[quantity]].flat());
      const byDifferences = method === "effective-action" && quantity === "logEvidence" && state.widths.length > 1;
      const digits = byDifferences ? 1e-7 : 1e-12;
      const tolerance = (i) => Math.max(digits * Math.max(1, Math.abs(a[i])), 10 * Math.abs(a[i] - c[i]));
      const far = a.findIndex((value, i) => !(Math.abs(value - b[i]) <= tolerance(i)));
      check(
        far < 0,
        `${what}: ${method} ${quantity}[${far}] is ${b[far]} in the page and ${a[far]} in Node (${c[far]} by its reference backend)`,
      );
    }
  check(Object.keys(expected).length > 0, `${what}: nothing to compare`);
}

const only = process.argv.find((argument) => argument.startsWith("--only="))?.slice("--only=".length) ?? "";
const step = (what, action) => (what.includes(only) ? attempt(what, action) : undefined);

const drop = (page, name, text) =>
  page.evaluate(
    ([file, content]) => {
      const data = new DataTransfer();
      data.items.add(new File([content], file));
      document.querySelector(".page").dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true }));
    },
    [name, text],
  );

await step("first paint", async () => {
  const page = await open("", { traced: true });
  figures["ms to first paint"] = await page.evaluate(`Math.round(performance.getEntriesByName("first-contentful-paint")[0].startTime)`);
  await page.context().close();
});

await step("every control", async () => {
  const page = await open();
  await driveNetwork(page);
  await driveControls(page);
  await page.context().close();
});

await step("pictures, exports, sampling, verdicts", async () => {
  const page = await open();
  const files = await driveRest(page);
  const experiment = JSON.parse(readFileSync(files["experiment.json"], "utf8"));
  const { steps } = await runExperiment({ ...experiment, referee: false }, { registry });
  const found = await inPage(page);
  for (const { method, posterior } of steps[0].problems[0].outcomes)
    check(
      Math.abs(posterior.logEvidence - found[method].logEvidence) <= 1e-12 * Math.abs(posterior.logEvidence),
      `experiment file: ${method} differs in Node`,
    );
  const svg = readFileSync(files["explore.svg"], "utf8");
  check(svg.startsWith("<svg") && svg.includes("data:image/png") && !svg.includes("var(--"), "the SVG stands alone");
  check(readFileSync(files["explore.csv"], "utf8").split("\n").length > 50, "the CSV holds the numbers");
  await page.context().close();
});

await step("lessons", async () => {
  const page = await open();
  for (const lesson of lessons) {
    await page.click(`nav a:has-text("${lesson.title}")`);
    await until(page, `${ui}.state.lesson === "${lesson.name}"`, lesson.title);
    await settled(page);
    check((await page.locator(".lesson").textContent()).includes(lesson.title), `${lesson.title} is told`);
    check((await page.locator(".mistake").count()) === 0, `${lesson.title}: ${await page.locator(".mistake").allTextContents()}`);
  }
  await page.context().close();
});

await step("shared links give Node's numbers", async () => {
  for (const state of [initialState, ...lessons.map((lesson) => lesson.state)]) {
    const page = await open(`#${encodeState(state)}`);
    await compare(JSON.stringify({ ...state, data: state.data.kind }), page, state);
    await page.reload();
    await settled(page);
    await compare("after a reload", page, state);
    await page.context().close();
  }
});

await step("dropped files, good and bad", async () => {
  const page = await open();
  await drop(page, "table.csv", "a,b,y\n1,0.5,1\n0.2,1,-1\n-1,0.3,0.5\n");
  await until(page, `${ui}.state.data.name === "table.csv"`, "a dropped table");
  await settled(page);
  const state = await page.evaluate(`${ui}.state`);
  check(state.data.train.inputs.length === 3, "the rows of the table");
  for (const [name, text, message] of [
    ["bad.csv", "a,y\n1,2\n3,x\n", /bad\.csv: line 3, column 2: expected a finite number, got "x"/],
    ["bad.txt", "hello", /expected a \.npz or \.csv file/],
    ["bad.npz", "hello", /bad\.npz/],
    ["bad.json", "{", /bad\.json: is not JSON/],
  ]) {
    await drop(page, name, text);
    await until(page, `document.querySelector('[role="alert"]').textContent.includes("${name}")`, `${name} is refused`);
    const told = await page.locator('[role="alert"]').textContent();
    check(message.test(told), `${name}: ${told}`);
    check((await page.evaluate(`${ui}.state.data.name`)) === "table.csv", `${name} left the page as it was`);
    await page.click("text=run this in a terminal");
  }
  const broken = await open("#s=broken");
  check(/link: is damaged/.test(await broken.locator('[role="alert"]').textContent()), "a broken link is told");
  await broken.context().close();
  await page.context().close();
});

await step("slider to picture; the latest state wins", async () => {
  const state = { ...initialState, data: { kind: "digits", classes: [0, 1], train: 100 } };
  const page = await open(`#${encodeState(state)}`);
  await page.evaluate(`${ui}.session.pause(true)`);
  await page.waitForTimeout(2000);
  await page.evaluate("blocks.length = 0");
  const times = await timeSlider(page, 24);
  const blocks = await page.evaluate("blocks");
  const block = await longestTask(page, () => timeSlider(page, 6));
  for (const [method, { picture, worker }] of Object.entries(times)) {
    figures[`ms from slider to picture, median, ${method}`] = told(picture);
    figures[`ms of that in the worker, median, ${method}`] = told(worker);
  }
  figures["ms of the longest block while the slider moves"] = Math.max(0, ...blocks).toFixed(0);
  figures["ms of processor time of the longest task while the slider moves"] = block.toFixed(0);
  const asked = await page.evaluate(async () => {
    const { session } = document.querySelector("fw-explore");
    const before = session.latencies.length;
    const slider = document.querySelector(".width-of input[type=range]");
    for (let i = 0; i < 60; i++) {
      slider.value = String(100 + 7 * i);
      slider.dispatchEvent(new Event("input", { bubbles: true }));
      if (i % 6 === 0) await new Promise((resolve) => setTimeout(resolve, 4));
    }
    while (!session.isSettled) await new Promise((resolve) => setTimeout(resolve, 20));
    return session.latencies.length - before;
  });
  check(asked < 60, `60 quick touches made ${asked} answers: they queue up`);
  await compare("after quick touches", page, await page.evaluate(`${ui}.state`));
  await page.context().close();
});

/** Cells that run into their neighbours, and sliders that are no more than their thumb. */
const crowded = (page) =>
  page.evaluate(() => [
    ...[...document.querySelectorAll("fw-theories td, fw-theories th")]
      .filter((cell) => cell.scrollWidth > cell.clientWidth)
      .map((cell) => `${cell.parentElement.textContent.trim().replaceAll(/\s+/g, " ")} is wider than its cell`),
    ...[...document.querySelectorAll("input[type=range]")]
      .filter((slider) => slider.getBoundingClientRect().width < 50)
      .map((slider) => `the slider of ${slider.closest("label")?.textContent.trim()} is too short to drag`),
  ]);

await step("axe, narrow, dark, reduced motion", async () => {
  // each width is opened in one scheme and then seen in the other
  for (const [width, schemes] of [
    [1400, ["light", "dark"]],
    [390, ["dark", "light"]],
  ]) {
    const page = await open("#lesson=alignment", { width, scheme: schemes[0] });
    await until(page, `[...${ui}.session.answers.sampled.values()].some(({ runs }) => runs >= 2)`, "sampled points");
    await until(page, `Object.keys(${ui}.session.answers.verdicts).length > 1`, "verdicts");
    for (const colorScheme of schemes) {
      await page.emulateMedia({ colorScheme });
      await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
      check((await page.evaluate("document.documentElement.scrollWidth")) <= width, `wider than ${width} px`);
      problems.push(...(await accessibilityFaults(page)).map((fault) => `${width} px, ${colorScheme}: ${fault}`));
      await page.screenshot({ path: join(pictures, `explore-${width < 600 ? "narrow-" : ""}${colorScheme}.png`), fullPage: true });
    }
    for (const seen of width === 1400 ? [1400, 1280] : [width]) {
      await page.setViewportSize({ width: seen, height: 900 });
      problems.push(...(await crowded(page)).map((fault) => `${seen} px: ${fault}`));
    }
    await page.context().close();
  }
  const still = await open("", { motion: "reduce" });
  check((await still.evaluate(`${ui}.session.running`)) === false, "sampling does not start by itself where motion is unwanted");
  await still.context().close();
});

await browser.close();
server.close();
for (const [name, value] of Object.entries(figures)) console.log(`${name}: ${value}`);
finish("the page is as it should be");
