import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { vi } from "vitest";
import { main } from "../src/main.js";

/** What a command printed, its exit status, and its result files. */
export interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Parsed result file, if it was written. */
  readonly result: ReturnType<typeof JSON.parse>;
  readonly report: string | undefined;
  /** Whether the output folder exists. */
  readonly wrote: boolean;
}

/** Runs a command of the binary in this process on a file with the given content, in a folder of its own. */
export async function runCommand(
  command: "run" | "prior" | "phase-diagram",
  content: unknown,
  extra: readonly string[] = ["--quiet"],
  files: Readonly<Record<string, string | Uint8Array>> = {},
): Promise<Outcome> {
  const folder = await mkdtemp(join(tmpdir(), "finitewidth-cli-"));
  try {
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
    const file = join(folder, "case.json");
    if (content !== undefined) await writeFile(file, typeof content === "string" ? content : JSON.stringify(content));
    const out = join(folder, "out");
    const { status, stdout, stderr } = await capture([
      command,
      file,
      "--out",
      out,
      ...(extra.includes("--workers") ? [] : ["--workers", "0"]),
      // the referee has tests of its own
      ...(command !== "run" || extra.includes("--referee") ? [] : ["--referee", "off"]),
      ...extra,
    ]);
    const name = { run: "result.json", prior: "prior.json", "phase-diagram": "phase.json" }[command];
    const read = async (path: string): Promise<string | undefined> => (existsSync(path) ? readFile(path, "utf8") : undefined);
    const text = await read(join(out, name));
    return {
      status,
      stdout,
      stderr,
      result: text === undefined ? undefined : JSON.parse(text),
      report: await read(join(out, "report.html")),
      wrote: existsSync(out),
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Runs the binary in this process and collects what it prints. */
export async function capture(
  argv: readonly string[],
): Promise<{ readonly status: number; readonly stdout: string; readonly stderr: string }> {
  const text = { stdout: "", stderr: "" };
  const spies = (["stdout", "stderr"] as const).map((name) =>
    vi.spyOn(process[name], "write").mockImplementation((chunk) => {
      text[name] += String(chunk);
      return true;
    }),
  );
  const log = vi.spyOn(console, "info").mockImplementation((line) => void (text.stdout += `${line}\n`));
  try {
    return { status: await main(argv), ...text };
  } finally {
    for (const spy of [...spies, log]) spy.mockRestore();
  }
}

/** The smallest experiment that has something to predict: three points, one hidden layer of eight units. */
export const threePoints = (activation: string, methods: readonly unknown[]) => ({
  data: {
    train: {
      inputs: [
        [1, 0.5],
        [0.2, 1],
        [-1, 0.3],
      ],
      targets: [[1], [-1], [0.5]],
    },
    test: { inputs: [[0.7, 0.7]] },
  },
  network: { type: "fully-connected", widths: [8], activation },
  likelihood: { temperature: 0.1 },
  methods,
});
