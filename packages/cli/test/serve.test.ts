import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { decodeNpz, encodeNpz } from "@finitewidth/core/npz";
import { runCommand } from "./command.js";

const bin = fileURLToPath(new URL("../bin/finitewidth.cjs", import.meta.url));
// What comes in a line.
type Message = Record<string, any>; // eslint-disable-line @typescript-eslint/no-explicit-any

let folder: string;
let child: ChildProcessWithoutNullStreams;
let lines: Message[];
let wake: () => void;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "finitewidth-serve-"));
  child = spawn(process.execPath, [bin, "serve", "--stdio"]);
  lines = [];
  wake = () => undefined;
  createInterface({ input: child.stdout }).on("line", (line) => {
    lines.push(JSON.parse(line) as Message);
    wake();
  });
});
afterEach(() => {
  child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

const send = (message: Message | string): void =>
  void child.stdin.write(`${typeof message === "string" ? message : JSON.stringify(message)}\n`);
/** Waits for a line. */
async function line(test: (message: Message) => boolean): Promise<Message> {
  for (;;) {
    const found = lines.find(test);
    if (found) return found;
    await new Promise<void>((resolve) => (wake = resolve));
  }
}
const answer = (id: number | null): Promise<Message> => line((one) => one.id === id && ("result" in one || "error" in one));

const rows = Array.from({ length: 6 }, (_, i) => [Math.sin(i), Math.cos(2 * i)]);
const experiment = {
  data: { train: { inputs: rows, targets: rows.map(([x]) => [x! > 0 ? 1 : -1]) }, test: { inputs: [[0.3, 0.4]] } },
  network: { type: "fully-connected", widths: [5, 4], activation: "identity" },
  likelihood: { temperature: 0.1 },
  methods: ["nngp", "exact"],
  referee: false,
};
const ask = (id: number, more: Message = {}): void => send({ id, do: "run", folder, base: folder, workers: 0, experiment, ...more });

describe("serve", () => {
  it("answers with the numbers of the command line; arrays in a file, kernels where they are asked for", async () => {
    ask(1);
    ask(2, { kernels: true, keep: true });
    const typed = (await runCommand("run", experiment)).result.results;
    expect((await answer(1)).result.results.nngp).not.toHaveProperty("hiddenKernels");
    const { result } = await answer(2);
    expect(lines[0]).toMatchObject({ protocol: 1 });
    const { arrays } = decodeNpz(readFileSync(join(folder, "arrays.npz")));
    for (const method of ["nngp", "exact"]) {
      expect(result.results[method].logEvidence).toBe(typed[method].logEvidence);
      for (const [l, layer] of typed[method].hiddenKernels.entries())
        expect([...arrays[result.results[method].hiddenKernels[l].mean.$array]!.data]).toEqual(layer.mean.flat());
      const { $array } = result.results[method].predictive.mean;
      expect([...arrays[$array]!.data]).toEqual(typed[method].predictive.mean.flat());
    }
    expect(lines.filter((one) => one.id === 2 && one.event === "outcome").map((one) => one.method)).toEqual(["nngp", "exact"]);

    writeFileSync(join(folder, "inputs.npz"), encodeNpz({ inputs: { data: Float64Array.of(0.3, 0.4), shape: [1, 2] } }));
    send({ id: 3, do: "predict", of: 2, method: "exact", inputs: join(folder, "inputs.npz"), folder });
    await answer(3);
    const again = decodeNpz(readFileSync(join(folder, "arrays.npz"))).arrays;
    expect([...again.mean!.data, ...again.variance!.data]).toEqual([typed.exact.predictive.mean, typed.exact.predictive.variance].flat(2));
    send({ id: 4, do: "report", of: 2, folder, title: "a title" });
    expect(readFileSync((await answer(4)).result.file, "utf8")).toContain("a title");
    send({ id: 5, do: "release", of: 2 });
    send({ id: 6, do: "report", of: 2, folder });
    expect((await answer(6)).error).toMatchObject({ code: "input", path: "of" });
  });

  it("tells who asked for threads why there are none", async () => {
    writeFileSync(join(folder, "nowhere.mjs"), 'export const plugin = { name: "nowhere" };');
    const own = { experiment: { ...experiment, plugins: ["./nowhere.mjs"] }, allowPluginPaths: true };
    ask(1, { ...own, workers: 2 });
    ask(2, own);
    expect([(await answer(1)).result, (await answer(2)).result]).not.toContain(undefined);
    const message = "computing in one thread: nowhere has no module that a worker could import";
    expect(lines.filter(({ event }) => event === "warning")).toEqual([{ id: 1, event: "warning", message }]);
  });

  it("goes on after mistakes, each with its path", async () => {
    ask(1, { experiment: { ...experiment, network: { ...experiment.network, widths: [0, 4] } } });
    send({ id: 2, do: "dance" });
    send("not JSON");
    send({ id: 6, do: "run", folder, experiment });
    ask(7, { experiment: "s.json" });
    ask(8, { experiment: undefined });
    send({ id: 9, do: "command", argv: ["serve", "--stdio"] });
    send({ id: 10, do: "command" });
    send({ id: 11 });
    send({ id: 3, do: "command", argv: ["prior", join(folder, "nowhere.json")] });
    send({ id: 4, do: "predict", of: 1, method: "exact" });
    ask(5);
    expect((await answer(1)).error).toMatchObject({ code: "input", path: "network.widths[0]", received: "0" });
    expect((await answer(2)).error.path).toBe("do");
    expect((await answer(null)).error).toMatchObject({ code: "input", path: "request", message: expect.stringContaining("JSON") });
    expect((await answer(6)).error).toMatchObject({ code: "input", path: "base", message: "base: required, expected text, got nothing" });
    expect((await answer(7)).error).toMatchObject({ code: "input", path: "experiment", received: '"s.json"' });
    expect((await answer(8)).error.message).toMatch(/^experiment: required, /);
    expect((await answer(9)).error).toMatchObject({ code: "input", path: "argv[0]", received: '"serve"' });
    expect((await answer(10)).error.message).toMatch(/^argv: required, /);
    expect((await answer(11)).error.message).toMatch(/^do: required, expected one of run, /);
    expect((await answer(3)).error.code).toBe("file");
    expect((await answer(4)).error.path).toBe("of");
    expect((await answer(5)).result.results.exact.status).toBe("ok");
  });

  it("answers the request of the guide", async () => {
    const guide = readFileSync(new URL("../../../docs/guide/serve.md", import.meta.url), "utf8");
    const request = JSON.parse(/```json\n(.*)\n```/.exec(guide)![1]!) as Message;
    send({ ...request, folder: join(folder, "guide"), workers: 0 });
    expect((await answer(request.id)).result.results.nngp.status).toBe("ok");
  });

  it("makes the folder for arrays, or refuses before anything is computed", async () => {
    const made = join(folder, "not", "there", "yet");
    ask(1, { folder: made });
    const { result } = await answer(1);
    const { arrays } = decodeNpz(readFileSync(join(made, "arrays.npz")));
    expect(arrays).toHaveProperty([result.results.exact.predictive.mean.$array]);

    writeFileSync(join(folder, "file"), "");
    for (const [id, refused] of [join(folder, "file"), join(folder, "file", "below")].entries()) {
      ask(id + 2, { folder: refused });
      expect((await answer(id + 2)).error).toMatchObject({ code: "file", path: "folder", message: expect.stringContaining(refused) });
      expect(lines.filter((one) => one.id === id + 2 && "event" in one)).toEqual([]);
    }
  });

  it("says which requests the end of input has left without an answer, and only then", async () => {
    const ends = async (input: string): Promise<[unknown, string]> => {
      const other = spawn(process.execPath, [bin, "serve", "--stdio"]);
      let said = "";
      other.stderr.on("data", (part: Buffer) => (said += part.toString()));
      other.stdin.end(input);
      return [await new Promise((resolve) => other.on("close", resolve)), said];
    };
    const request = JSON.stringify({ id: 1, do: "run", folder, base: folder, experiment });
    expect(await ends(`${request}\n${request}\n`)).toEqual([1, expect.stringContaining("standard input ended with 2 requests unanswered")]);
    expect(await ends("")).toEqual([0, ""]);
    ask(1);
    send("not JSON");
    send({ id: 2, do: "cancel", of: 1 });
    send({ id: 3, do: "release", of: 1 });
    await answer(3);
    const ended = new Promise((resolve) => child.on("exit", resolve));
    child.stdin.end();
    expect(await ended).toBe(0);
  });

  it("cancels, keeps what was finished, and ends with its input however busy it is", async () => {
    const endless = { ...experiment, methods: ["nngp", { method: "monte-carlo", draws: 1_000_000 }] };
    ask(1, { experiment: endless, workers: 1 });
    await line((one) => one.event === "outcome" && one.method === "nngp");
    send({ id: 2, do: "cancel", of: 1 });
    expect((await answer(1)).error.code).toBe("cancelled");
    ask(3, { experiment: endless });
    await line((one) => one.id === 3 && one.event === "outcome");
    const ended = new Promise((resolve) => child.on("exit", resolve));
    child.stdin.end();
    expect(await ended).toBe(1);
  });
});
