import { createReadStream, existsSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { dirname, extname, join } from "node:path";
import { FinitewidthError, inputError, printable, rowsOf, type DataSplit, type Matrix } from "@finitewidth/core";
import { planExperiment, type PlannedStep } from "@finitewidth/experiment";
import { stateFromExperiment } from "@finitewidth/explore";
import { loadRegistry } from "../builtin-registry.js";
import { fileReader, pluginsOf, readJson, titleOf } from "../files.js";
import type { CommandContext } from "../main.js";
import { openPage } from "../open-page.js";

/** What was typed. */
export interface ExploreRequest {
  /** Experiment file; empty: what the page opens with. */
  readonly file: string;
  readonly folder: string;
  /** 0: any free one. */
  readonly port: string | undefined;
  readonly open: boolean;
}

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".json": "application/json",
  ".bin": "application/octet-stream",
};
/** Names of this machine; a page elsewhere whose own name has been pointed at it (DNS rebinding) comes with another one. */
const ownHost = /^(?:127\.0\.0\.1|localhost|\[::1\])(?::\d+)?$/i;
/** Threads that share memory are allowed where these are set. */
const isolation = { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" };

/** `finitewidth explore`: serves the page on this machine only, with an experiment when one is named, until it is interrupted. */
export async function runExploreCommand({ file, folder, port, open }: ExploreRequest, context: CommandContext): Promise<number> {
  const number = port === undefined ? 0 : Number(port);
  if (!Number.isInteger(number) || number < 0 || number > 65_535) throw inputError("--port", "a port from 0 to 65535", port);
  const experiment = file === "" ? undefined : await shownExperiment(file, folder, context);
  const page = join(dirname(createRequire(import.meta.url).resolve("@finitewidth/explore/package.json")), "page");
  if (!existsSync(join(page, "index.html")))
    throw new FinitewidthError(`${page}: the page is not built; run npm run build`, { code: "file", path: page });
  const server = createServer((request, response) => {
    if (!ownHost.test(request.headers.host ?? "")) {
      response.writeHead(403).end();
      return;
    }
    // not by URL, which throws on what anybody may send
    const path = request.url!.replace(/\?.*/, "");
    const send = (type: string): unknown => response.writeHead(200, { "content-type": type, "cache-control": "no-store", ...isolation });
    if (path === "/experiment.json" && experiment !== undefined) {
      send(types[".json"]!);
      response.end(experiment.content);
      return;
    }
    // File names only: nothing above or beside the page is served.
    const name = /^\/(?:(assets\/)?[\w.-]+)?$/.test(path) ? (path === "/" ? "index.html" : path.slice(1)) : "";
    const target = join(page, name);
    if (name === "" || name.includes("..") || !existsSync(target)) {
      response.writeHead(404).end();
      return;
    }
    send(types[extname(name)] ?? "application/octet-stream");
    createReadStream(target).pipe(response);
  });
  const address = await listen(server, number);
  const url = `http://127.0.0.1:${address.port}/${experiment === undefined ? "" : "?experiment"}`;
  context.stdout.write(`${url}\n`);
  if (!context.quiet && experiment !== undefined && experiment.left.length > 0)
    context.stderr.write(`Not shown: ${printable(experiment.left.join("; "))}\n`);
  if (!context.quiet) context.stderr.write("The page is served until you press Ctrl-C.\n");
  if (open) openPage(url);
  await new Promise<void>((resolve) => {
    if (context.signal.aborted) resolve();
    context.signal.addEventListener("abort", () => resolve(), { once: true });
  });
  server.closeAllConnections();
  server.close();
  return 0;
}

function listen(server: Server, port: number): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) =>
      reject(
        new FinitewidthError(
          `--port: ${port} cannot be used (${cause.code ?? cause.message})`,
          { code: "input", path: "--port" },
          { cause },
        ),
      ),
    );
    server.listen(port, "127.0.0.1", () => resolve(server.address() as AddressInfo));
  });
}

/** What the page gets, and what of the file it does not. */
interface ShownExperiment {
  readonly content: string;
  /** Parts of the file that the page has no place for. */
  readonly left: readonly string[];
}

/**
 * An experiment with its data in it, as the page takes it, without its sweep. @throws FinitewidthError (code "input") naming what makes it
 * none that the page can show.
 */
async function shownExperiment(file: string, folder: string, context: CommandContext): Promise<ShownExperiment> {
  const raw = await readJson(file);
  const registry = await loadRegistry(pluginsOf(raw), folder, { allowPaths: context.allowPluginPaths });
  const plan = await planExperiment(raw, { registry, readFile: fileReader(folder) });
  const swept = plan.keys.length > 0;
  // the steps of a sweep are networks and data of their own; what it starts from is what the file says
  const { experiment, steps } = swept
    ? await planExperiment({ ...(raw as object), sweep: undefined }, { registry, readFile: fileReader(folder) })
    : plan;
  const [step] = steps as [PlannedStep];
  const [first] = step.problems;
  const shown = { data: inlineData(step.data), network: first!.problem.network, likelihood: experiment.likelihood, seed: step.seed };
  stateFromExperiment(shown, titleOf(file));
  return {
    content: JSON.stringify(shown),
    left: [...(swept ? [`sweep of ${plan.keys.map(({ name }) => name).join(" and ")}`] : []), ...leftOf(step)],
  };
}

/** Networks after the first, and test points that are not to be compared with anything. */
function leftOf({ problems, data: { test } }: PlannedStep): string[] {
  const others = problems.slice(1);
  return [
    ...(others.length > 0 ? [`networks ${others.map(({ label }) => label).join(", ")}`] : []),
    ...(test && !test.targets ? ["data.test, which has no targets"] : []),
  ];
}

const table = ({ inputs, targets }: { readonly inputs: Matrix; readonly targets?: Matrix }) => ({
  inputs: rowsOf(inputs),
  ...(targets ? { targets: rowsOf(targets) } : {}),
});
const inlineData = ({ train, test }: DataSplit) => ({ train: table(train), ...(test ? { test: table(test) } : {}) });
