// Every control of the interactive page, driven as a visitor would, and what it must lead to.

const ui = "document.querySelector('fw-explore')";
const stateOf = (page) => page.evaluate(`${ui}.state`);

/** Waits until a condition on the page holds. */
export const until = (page, condition, what) =>
  page.waitForFunction(condition, undefined, { timeout: 120_000, polling: 50 }).catch(() => {
    throw new Error(`${what}: not so within 120 s`);
  });

/** The newest answers belong to the present state: nothing is being solved. */
export const settled = (page) => until(page, `${ui}.session.isSettled`, "answers of the quick theories");

export function check(condition, what) {
  if (!condition) throw new Error(what);
}

/** Moves a range input as a pointer does. */
const slide = (page, selector, value) =>
  page.locator(selector).evaluate((input, to) => {
    input.value = String(to);
    input.dispatchEvent(new Event("input", { bubbles: true }));
  }, value);

async function changed(page, what, action, expected) {
  const before = await stateOf(page);
  await action();
  await page.waitForTimeout(60);
  const after = await stateOf(page);
  check(
    expected(after, before),
    `${what}: ${JSON.stringify({ ...before, data: before.data.kind })} → ${JSON.stringify({ ...after, data: after.data.kind })}`,
  );
  await settled(page);
  check((await page.locator(".mistake").count()) === 0, `${what}: ${await page.locator(".mistake").allTextContents()}`);
}

/** Drives the network: dragging, keys, sliders, layers. */
export async function driveNetwork(page) {
  const layer = page.locator("g.layer").nth(0);
  await changed(
    page,
    "a layer dragged upwards",
    async () => {
      const box = await layer.boundingBox();
      await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
      await page.mouse.down();
      await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2 - 40, { steps: 8 });
      await page.mouse.up();
    },
    (after, before) => after.widths[0] > before.widths[0] && after.layer === 1,
  );
  await changed(
    page,
    "arrow keys on a layer",
    () => layer.press("ArrowUp"),
    (after, before) => after.widths[0] > before.widths[0],
  );
  await changed(
    page,
    "Home on a layer",
    () => layer.press("Home"),
    (after) => after.widths[0] === 1,
  );
  await changed(
    page,
    "the width slider",
    () => slide(page, ".width-of input[type=range]", 400),
    (after) => after.widths[0] === 16,
  );
  await changed(
    page,
    "the width as a number",
    async () => {
      await page.fill(".width-of input[type=number]", "7");
      await page.press(".width-of input[type=number]", "Enter");
    },
    (after) => after.widths[0] === 7,
  );
  await changed(
    page,
    "a layer more",
    () => page.click("text=+ layer"),
    (after, before) => after.widths.length === before.widths.length + 1,
  );
  await changed(
    page,
    "a layer less",
    () => page.click("text=/− layer/"),
    (after, before) => after.widths.length === before.widths.length - 1,
  );
  await changed(
    page,
    "undo",
    () => page.click("text=undo"),
    (after, before) => after.widths.length === before.widths.length + 1,
  );
  await changed(
    page,
    "redo",
    () => page.click("text=redo"),
    (after, before) => after.widths.length === before.widths.length - 1,
  );
  await changed(
    page,
    "Ctrl-Z",
    () => page.keyboard.press("Control+z"),
    (after, before) => after.widths.length === before.widths.length + 1,
  );
}

/** Drives data, activation, variances and noise. */
export async function driveControls(page) {
  const select = (name, value) => page.selectOption(`select[aria-label="${name}"]`, value);
  const number = async (label, value) => {
    const input = page.locator(`label:has-text("${label}") input[type=number]`).last();
    await input.fill(String(value));
    await input.press("Enter");
  };
  await changed(
    page,
    "weight variance",
    () => slide(page, '[aria-label="weight variance σ_w²"]', 400),
    (after) => after.weightVariance.every((value) => value === 1.66),
  );
  await changed(
    page,
    "bias variance",
    () => slide(page, '[aria-label="bias variance σ_b²"]', 100),
    (after) => after.biasVariance.every((value) => value === 0.2),
  );
  await changed(
    page,
    "noise",
    () => slide(page, '[aria-label="noise T"]', 500),
    (after) => Math.abs(after.temperature - 0.0316) < 1e-9,
  );
  await changed(
    page,
    "classes",
    () => select("classes", "3 8"),
    (after) => after.data.classes.join() === "3,8",
  );
  await changed(
    page,
    "points",
    () => number("points", 20),
    (after) => after.data.train === 20,
  );
  for (const name of ["erf", "relu", "tanh", "gelu", "quadratic", "identity"])
    await changed(
      page,
      `activation ${name}`,
      () => select("activation", name),
      (after) => after.activation === name,
    );
  await changed(
    page,
    "the teacher",
    () => select("data", "teacher"),
    (after) => after.data.kind === "teacher",
  );
  await changed(
    page,
    "inputs of the teacher",
    () => number("inputs", 4),
    (after) => after.data.dimension === 4,
  );
  await changed(
    page,
    "a curve",
    () => select("data", "curve"),
    (after) => after.data.kind === "curve",
  );
  await changed(
    page,
    "a curve drawn by hand",
    async () => {
      const box = await page.locator("svg.pad").boundingBox();
      await page.mouse.move(box.x + 0.2 * box.width, box.y + 0.7 * box.height);
      await page.mouse.down();
      await page.mouse.move(box.x + 0.8 * box.width, box.y + 0.3 * box.height, { steps: 40 });
      await page.mouse.up();
    },
    (after) => after.data.points.length >= 8 && after.data.points.at(-1)[1] > after.data.points[0][1],
  );
  await changed(
    page,
    "points written",
    async () => {
      await page.fill("fw-curve input", "-1,0.5 0,-0.5 1,0.5");
      await page.press("fw-curve input", "Enter");
    },
    (after) => after.data.points.length === 3,
  );
  await until(
    page,
    `${ui}.session.answers.priorFunctions.length > 3 && ${ui}.session.answers.posteriorFunctions.length > 2`,
    "functions drawn from prior and posterior",
  );
  await changed(
    page,
    "the cursor of the phase plane",
    async () => {
      await page.waitForSelector(".plane");
      await page.locator(".plane").scrollIntoViewIfNeeded();
      const box = await page.locator(".plane").boundingBox();
      await page.mouse.move(box.x + 0.25 * box.width, box.y + 0.75 * box.height);
      await page.mouse.down();
      await page.mouse.move(box.x + 0.5 * box.width, box.y + 0.5 * box.height, { steps: 5 });
      await page.mouse.up();
    },
    (after, before) => Math.abs(after.weightVariance[0] - 1.55) < 0.06 && after.biasVariance[0] !== before.biasVariance[0],
  );
  await changed(
    page,
    "keys in the phase plane",
    () => page.locator(".plane").press("ArrowRight"),
    (after, before) => after.weightVariance[0] > before.weightVariance[0],
  );
  await page.fill("fw-curve input", "1,2 three");
  await page.press("fw-curve input", "Enter");
  await until(page, `/expected pairs/.test(document.querySelector('[role="alert"]').textContent)`, "a mistake in the points is told");
}

/** Drives what changes pictures only, and what leaves the page. */
export async function driveRest(page) {
  await slide(page, '[aria-label="from infinite width to learned"]', 0);
  await until(page, `/infinite width/.test(document.querySelector('fw-kernel figcaption').textContent)`, "the kernel at infinite width");
  await page.click("text=morph");
  await until(page, `/learned/.test(document.querySelector('fw-kernel figcaption').textContent)`, "the kernel morphs to the learned one");
  // other pictures come and go meanwhile
  const dots = `[...document.querySelectorAll("section[aria-labelledby=t-predictions] circle")].filter((dot) => /exact/.test(dot.textContent))`;
  await until(page, `${dots}.length > 0`, "a theory in the predictions");
  await page.locator(".theory", { hasText: "exact" }).locator("input").uncheck();
  await until(page, `${dots}.length === 0`, "a theory switched off");
  await page.locator(".theory", { hasText: "exact" }).locator("input").check();
  await page.click("text=pause sampling");
  const stretches = await page.evaluate(`${ui}.session.answers.stretches`);
  await page.waitForTimeout(700);
  check((await page.evaluate(`${ui}.session.answers.stretches`)) <= stretches + 1, "sampling pauses");
  await page.click("text=run sampling");
  await until(
    page,
    `${ui}.session.answers.receptiveFields !== undefined && ${ui}.session.answers.stretches > 1`,
    "receptive fields as the chain runs",
  );
  await until(page, `[...${ui}.session.answers.sampled.values()].some(({ runs }) => runs >= 2)`, "sampled points arrive");
  await until(page, `Object.keys(${ui}.session.answers.verdicts).length > 1`, "verdicts");
  await page.click("text=run this in a terminal");
  check(/finitewidth run experiment.json/.test(await page.locator(".terminal").textContent()), "what to type in a terminal");
  await page.click("text=run this in a terminal");
  await page.click("text=share link");
  await until(page, `location.hash.startsWith("#s=")`, "the link holds the state");
  const files = {};
  for (const [button, name] of [
    ["experiment file", "experiment.json"],
    ["SVG", "explore.svg"],
    ["CSV", "explore.csv"],
  ]) {
    const [download] = await Promise.all([page.waitForEvent("download"), page.click(`button:text-is("${button}")`)]);
    check(download.suggestedFilename() === name, `${button} saves ${download.suggestedFilename()}`);
    files[name] = await download.path();
  }
  return files;
}
