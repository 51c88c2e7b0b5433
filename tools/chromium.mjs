// Headless Chromium for checks: found, started, given pages of a folder, and asked what axe finds on them.
import { existsSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { extname, join, normalize } from "node:path";
import { chromium } from "playwright-core";

/** Path of Chromium or Chrome; CHROMIUM names one elsewhere. Without one the process ends with status 3: the machine lacks it. */
export function findChromium() {
  const candidates = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].filter(Boolean);
  const found = candidates.find((file) => existsSync(file));
  if (found !== undefined) return found;
  console.error(`no Chromium at ${candidates.join(", ")}; install it or set CHROMIUM`);
  return process.exit(3);
}

/** Starts it. */
export const launch = (executablePath = findChromium()) =>
  chromium.launch({
    executablePath,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });

const types = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".json": "application/json",
  ".png": "image/png",
};
const isolation = { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" };

/** Serves a folder on a free port of this machine. */
export async function serveFolder(folder, { isolated = false } = {}) {
  const server = createServer((request, response) => {
    const path = normalize(decodeURIComponent(request.url.split("?")[0]));
    const file = join(folder, path.endsWith("/") ? `${path}index.html` : path);
    if (!existsSync(file) || !statSync(file).isFile()) return response.writeHead(404).end();
    const headers = { "content-type": types[extname(file)] ?? "application/octet-stream", ...(isolated ? isolation : {}) };
    response.writeHead(200, headers).end(readFileSync(file));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${server.address().port}/`, close: () => server.close() };
}

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** What axe calls serious or critical on a page as it stands in the window, a line each. */
export async function accessibilityFaults(page, options = {}) {
  if (!(await page.evaluate("'axe' in globalThis"))) await page.evaluate(axe);
  const { violations } = await page.evaluate((more) => globalThis.axe.run(document, { resultTypes: ["violations"], ...more }), options);
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, impact, help, nodes }) => {
      const places = nodes.slice(0, 3).map(({ target, html }) => `${target.join(" ")}: ${html.slice(0, 120)}`);
      return `${id} (${impact}): ${help}: ${nodes.length} ×, ${places.join(" | ")}`;
    });
}
