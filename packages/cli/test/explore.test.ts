import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { main } from "../src/main.js";
import { capture } from "./command.js";

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "finitewidth-explore-"))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const experiment = {
  data: { dataset: "iris", classes: [0, 1], train: 12, test: 8 },
  network: { type: "fully-connected", widths: [7, 5], activation: "identity" },
  likelihood: { temperature: 0.1 },
  methods: ["nngp"],
};
const write = (name: string, content: unknown): string => {
  const file = join(folder, name);
  writeFileSync(file, JSON.stringify(content));
  return file;
};

/** Runs the command until `visit` is done with its address. */
async function served(argv: readonly string[], visit: (url: string) => Promise<void>, said: string[] = [], isTTY = false): Promise<number> {
  const stop = new AbortController();
  const original = process.stdout.write;
  let status: Promise<number> | undefined;
  const url = await new Promise<string>((resolve, reject) => {
    process.stdout.write = ((text: string) => {
      resolve(String(text).trim());
      return true;
    }) as never;
    status = main(argv, { signal: stop.signal, stderr: { isTTY, write: (line: string) => said.push(line) } as never });
    status.then((code) => reject(new Error(`ended with ${code}`)), reject);
  }).finally(() => (process.stdout.write = original));
  await visit(url).finally(() => stop.abort());
  return status!;
}

/** Status that a request with this path and Host header gets. */
const statusOf = (url: string, path: string, host: string): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url);
    request({ hostname, port, path, headers: { host } }, (response) => resolve(response.resume().statusCode))
      .on("error", reject)
      .end();
  });

const opened: string[] = [];
vi.mock("../src/open-page.js", () => ({ openPage: (page: string) => opened.push(page) }));

describe("finitewidth explore", () => {
  it("opens its page for whoever sits at a terminal, unless that is not wanted; an address alone is what it opens with", async () => {
    const visited: string[] = [];
    const opens = async (isTTY: boolean, ...more: string[]): Promise<string[]> => {
      opened.length = 0;
      await served(["explore", ...more], (url) => Promise.resolve(void visited.push(url)), [], isTTY);
      return [...opened];
    };
    expect(await opens(true)).toEqual(visited);
    expect(visited[0]).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/);
    for (const [isTTY, ...more] of [[false], [true, "--no-open"], [true, "--quiet"]] as const)
      expect(await opens(isTTY, ...more)).toEqual([]);
  });

  it("serves the page and the experiment with its data, and nothing else of this machine", async () => {
    const status = await served(["explore", write("iris.json", experiment), "--no-open"], async (url) => {
      expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/\?experiment$/);
      const page = await fetch(url);
      expect(page.headers.get("cross-origin-opener-policy")).toBe("same-origin");
      const text = await page.text();
      expect(text).toContain("<fw-explore>");
      const script = /src="\.\/(assets\/[^"]+\.js)"/.exec(text)![1]!;
      expect((await fetch(new URL(script, url))).status).toBe(200);
      const shown = (await (await fetch(new URL("experiment.json", url))).json()) as typeof experiment & {
        data: { train: { inputs: number[][] } };
      };
      expect(shown.network.widths).toEqual([7, 5]);
      expect(shown.data.train.inputs).toHaveLength(12);
      for (const path of ["package.json", "..%2fpackage.json", "assets/..%2f..%2fpackage.json", "assets/../../package.json"])
        expect((await fetch(new URL(path, url))).status).toBe(404);
    });
    expect(status).toBe(0);
  });

  it("answers under this machine's own names only, whatever is asked", async () => {
    await served(["explore", write("iris.json", experiment), "--no-open"], async (url) => {
      const { port } = new URL(url);
      for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, `[::1]:${port}`, "localhost"])
        expect(await statusOf(url, "/experiment.json", host)).toBe(200);
      for (const host of ["evil.com", `evil.com:${port}`, `localhost.evil.com:${port}`, "127.0.0.1.evil.com", "evil.com@localhost"])
        for (const path of ["/", "/experiment.json"]) expect(await statusOf(url, path, host)).toBe(403);
      for (const path of ["//", "/\\", "//a:b/"]) expect(await statusOf(url, path, "localhost")).toBe(404);
    });
  });

  it("says in one line which parts of an experiment are not on the page, and shows the rest as it is written", async () => {
    const said: string[] = [];
    const inputs = Array.from({ length: 12 }, (_, i) => [i, 1]);
    const file = write("sweep.json", {
      ...experiment,
      data: { train: { inputs, targets: inputs.map(([x]) => [x]) }, test: { inputs } },
      network: undefined,
      networks: [
        { ...experiment.network, label: "narrow" },
        { ...experiment.network, widths: [9, 9], label: "wide" },
        { ...experiment.network, widths: [4], label: "shallow" },
      ],
      sweep: { temperature: [0.2, 0.3], train: [6] },
    });
    await served(
      ["explore", file, "--no-open"],
      async (url) => {
        const shown = await (await fetch(new URL("experiment.json", url))).json();
        expect(shown).toMatchObject({ network: { widths: [7, 5] }, likelihood: { temperature: 0.1 } });
        expect((shown as { data: { train: { inputs: unknown[] } } }).data.train.inputs).toHaveLength(12);
      },
      said,
    );
    expect(said.filter((line) => line.startsWith("Not shown"))).toEqual([
      "Not shown: sweep of temperature and train; networks wide, shallow; data.test, which has no targets\n",
    ]);
    said.length = 0;
    await served(["explore", write("iris.json", experiment), "--no-open"], () => Promise.resolve(), said);
    expect(said.join("")).not.toContain("Not shown");
  });

  it("refuses in one line what the page cannot hold", async () => {
    const network = { type: "convolutional", inputShape: [1, 2, 2], layers: [{ channels: 4, kernelSize: 2 }], activation: "erf" };
    const refused = async (name: string, changes: object): Promise<string> => {
      const { status, stderr } = await capture(["explore", write(name, { ...experiment, ...changes }), "--no-open"]);
      expect(status).toBe(2);
      return stderr;
    };
    expect(await refused("convolution.json", { network })).toBe(
      'network.type: expected a network that the page draws: "fully-connected", got "convolutional"\n',
    );
    expect(await refused("many.json", { data: { dataset: "linear-teacher", features: 3, train: 401, test: 2 } })).toBe(
      "data.train: expected at most the 400 points that the page holds, got 401\n",
    );
    expect(await refused("classes.json", { likelihood: { type: "logistic" } })).toMatch(/^likelihood: .*, got "logistic"\n$/);
  });

  it("says which part of an experiment the page cannot show, and which port it cannot use", async () => {
    const sign = write("sign.json", { ...experiment, network: { ...experiment.network, activation: "sign" } });
    expect(await capture(["explore", sign, "--no-open"])).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/^network.activation: expected one of/),
    });
    for (const port of ["x", "65536", "-1", "1.5"])
      expect(await capture(["explore", `--port=${port}`])).toMatchObject({
        status: 2,
        stderr: expect.stringMatching(/^--port: expected a port from 0 to 65535/),
      });
    expect(await capture(["explore", join(folder, "none.json")])).toMatchObject({ status: 2 });
  });
});
