import { EventEmitter } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { launch, type Message } from "../src/launch.js";

/** The thread of the command, as the tests make it behave. */
class Thread extends EventEmitter {
  static last: Thread;
  readonly posted: unknown[] = [];
  readonly options: { readonly workerData: unknown };
  constructor(_file: URL, options: { readonly workerData: unknown }) {
    super();
    this.options = options;
    Thread.last = this;
  }
  postMessage(message: unknown): void {
    this.posted.push(message);
  }
}
vi.mock("node:worker_threads", () => ({
  Worker: function (file: URL, options: { readonly workerData: unknown }) {
    return new Thread(file, options);
  },
}));
vi.mock("../src/serve/relay.js", () => ({ relay: vi.fn<() => void>() }));

let folder: string;
let said: string;
let exits: unknown[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "finitewidth-launch-"));
  said = "";
  exits = [];
  vi.useFakeTimers();
  vi.spyOn(process.stderr, "write").mockImplementation((text) => Boolean((said += String(text))));
  vi.spyOn(process, "exit").mockImplementation(((status: unknown) => exits.push(status)) as never);
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
  for (const stream of [process.stdout, process.stderr]) stream.removeAllListeners("error");
  process.exitCode = undefined;
  rmSync(folder, { recursive: true, force: true });
});

/** A command that has begun, in a folder of its own that it holds where it opens one. */
function begun(...argv: string[]) {
  const before = new Set(process.listeners("SIGINT"));
  launch(argv);
  const thread = Thread.last;
  const tell = (message: Message): unknown => thread.emit("message", message);
  const [interrupt] = process.listeners("SIGINT").filter((listener) => !before.has(listener));
  return {
    thread,
    tell,
    open: () => {
      writeFileSync(join(folder, ".lock"), "");
      tell({ kind: "open", folder });
    },
    /** Keeps a result, or who made it only. */
    keep: (name = "exact-0.bin") => {
      mkdirSync(join(folder, ".checkpoints"), { recursive: true });
      writeFileSync(join(folder, ".checkpoints", name), "");
    },
    interrupt: () => interrupt!("SIGINT"),
    ended: (status?: number) => {
      if (status !== undefined) tell({ kind: "status", status });
      thread.emit("exit");
      return { status: process.exitCode, listening: process.listeners("SIGINT").length - before.size };
    },
  };
}
const held = (): boolean => existsSync(join(folder, ".lock"));
const goesOn = (count = ""): string =>
  `\ninterrupted: ${count}what is finished is kept in ${folder}; the same command with --resume goes on from there\n`;

it.each([["run", "x.json"], ["prior", "x.json"], ["optimise", "x.json"], ["verify"], ["reproduce", "hanin-depth"]])(
  "%s says, when it is interrupted, where it goes on from",
  (...argv) => {
    const { thread, open, keep, interrupt, ended } = begun(...argv);
    open();
    keep();
    interrupt();
    expect([thread.posted, said, exits]).toEqual([["interrupt"], "", []]);
    expect(ended(1)).toEqual({ status: 1, listening: 0 });
    expect(said).toBe(goesOn());
  },
);

it("says so only where something is kept, and only when it was interrupted and did not succeed", () => {
  const nothing = begun("phase-diagram", "x.json");
  nothing.open();
  nothing.interrupt();
  nothing.ended(1);
  expect(said).toBe("\ninterrupted\n");
  const early = begun("run", "x.json");
  early.interrupt();
  early.ended(1);
  expect(said).toBe("\ninterrupted\n".repeat(2));
  for (const status of [0, 1, 2]) {
    const own = begun("run", "x.json");
    own.open();
    if (status === 0) own.interrupt();
    expect(own.ended(status)).toEqual({ status, listening: 0 });
  }
  expect(said).toBe("\ninterrupted\n".repeat(2));
});

it("does not say that anything is kept before anything is finished", () => {
  const early = begun("run", "x.json");
  early.open();
  early.keep("identity.json");
  early.interrupt();
  early.ended(1);
  expect(said).toBe("\ninterrupted before anything was finished: nothing is kept\n");
});

it("says how many methods are finished, of the last that was told", () => {
  const { tell, open, interrupt, ended } = begun("run", "x.json");
  open();
  for (const done of [1, 2, 3]) tell({ kind: "finished", done, total: 5 });
  interrupt();
  ended(1);
  expect(said).toBe(goesOn("3 of 5 methods are finished and "));
});

it("ends a command that does not hear after 600 ms, at once when interrupted again; the folder is given back", () => {
  const busy = begun("run", "x.json");
  busy.open();
  busy.keep();
  busy.interrupt();
  vi.advanceTimersByTime(599);
  expect([exits, held()]).toEqual([[], true]);
  vi.advanceTimersByTime(1);
  expect([exits, held(), said]).toEqual([[1], false, goesOn()]);
  busy.ended(1);
  [exits, said] = [[], ""];
  const twice = begun("run", "x.json");
  twice.open();
  twice.interrupt();
  twice.interrupt();
  expect([exits, held(), said]).toEqual([[1], false, ""]);
  twice.ended(1);
});

it("lets a command that hears write what is finished, as long as it takes; one that does not hear has ten seconds", () => {
  const writing = "\ninterrupted: what is finished is being written; once more ends at once\n";
  const begin = (hears: boolean) => {
    [exits, said] = [[], ""];
    const own = begun("run", "x.json");
    own.open();
    own.keep();
    own.tell({ kind: "finished", done: 1, total: 2 });
    own.interrupt();
    if (hears) own.tell({ kind: "heard" });
    return own;
  };
  const patient = begin(true);
  vi.advanceTimersByTime(599);
  expect(said).toBe("");
  vi.advanceTimersByTime(1e6);
  expect([exits, held(), said]).toEqual([[], true, writing]);
  patient.ended(1);
  expect(said).toBe(writing + goesOn("1 of 2 methods are finished and "));
  const deaf = begin(false);
  vi.advanceTimersByTime(9999);
  expect([exits, held()]).toEqual([[], true]);
  vi.advanceTimersByTime(1);
  expect([exits, held()]).toEqual([[1], false]);
  deaf.ended(1);
  // nothing is finished: there is nothing to wait for
  [exits, said] = [[], ""];
  const early = begun("run", "x.json");
  early.open();
  early.interrupt();
  early.tell({ kind: "heard" });
  vi.advanceTimersByTime(600);
  expect(exits).toEqual([1]);
  early.ended(1);
  const twice = begin(true);
  twice.interrupt();
  expect([exits, held()]).toEqual([[1], false]);
  twice.ended(1);
});

it("says what ended the thread, and gives the folder back", () => {
  const failed = (error: unknown): unknown[] => {
    const own = begun("run", "x.json");
    said = "";
    own.open();
    own.thread.emit("error", error);
    return [said, own.ended().status];
  };
  expect(failed(new Error("no"))).toEqual(["finitewidth: no\n", 1]);
  expect(failed(undefined)).toEqual(["finitewidth: something threw undefined\n", 1]);
  expect(failed(Object.assign(new Error("x"), { code: "ERR_WORKER_OUT_OF_MEMORY" }))[0]).toMatch(
    /^finitewidth: out of memory; give Node more/,
  );
  const own = begun("run", "x.json");
  said = "";
  own.open();
  expect([own.ended().status, said, held()]).toEqual([1, "finitewidth: the command ended early; a plug-in may have ended it\n", false]);
});

it("answers at once what needs no thread, and passes on what the thread says", () => {
  const out = vi.spyOn(process.stdout, "write").mockImplementation(() => true);
  const before = Thread.last;
  launch(["--version"]);
  expect([Thread.last === before, out.mock.calls.length, process.exitCode]).toEqual([true, 1, 0]);
  launch(["rnu"]);
  expect([said.slice(0, 20), out.mock.calls.length, process.exitCode]).toEqual(["rnu: unknown command", 1, 2]);
  said = "";
  const { thread, tell, ended } = begun("run", "x.json", "--quiet");
  expect(thread.options.workerData).toMatchObject({
    role: "command",
    argv: ["run", "x.json", "--quiet"],
    isTTY: process.stderr.isTTY === true,
  });
  tell({ kind: "said", text: "a sentence" });
  expect(said).toBe("a sentence");
  ended(0);
});
