import { describe, expect, it } from "vitest";
import { extended, firstOfEveryKind } from "../src/dry-run.js";
import { createProgress, timeLeft } from "../src/progress.js";

describe("progress", () => {
  const at = (isTTY: boolean, enabled = true) => {
    let now = 0;
    const lines: string[] = [];
    const progress = createProgress(enabled, { isTTY, write: (text) => lines.push(text) }, () => now);
    return { progress, lines, wait: (seconds: number) => (now += 1000 * seconds) };
  };

  it("writes a line now and then into a file, with the time left of the whole", () => {
    const { progress, lines, wait } = at(false);
    progress.stage("first", 0, 4);
    expect(lines).toEqual([]);
    wait(12);
    progress.advance(1, 2);
    expect(lines).toEqual(["first 13 %, 12 s, about 84 s left\n"]);
    wait(10);
    progress.stage("second", 1, 4);
    expect(lines).toHaveLength(1);
    wait(20);
    progress.advance(1, 1);
    expect(lines[1]).toBe("second 50 %, 42 s, about 42 s left\n");
  });

  it("redraws a terminal in place, and is silent when quiet, but for what must be said", () => {
    const terminal = at(true);
    terminal.wait(1);
    terminal.progress.stage("exact");
    expect(terminal.lines[0]).toMatch(/^\r.*exact/);
    terminal.progress.clear();
    expect(terminal.lines.at(-1)).toMatch(/^\r/);
    const quiet = at(true, false);
    quiet.wait(100);
    quiet.progress.stage("exact");
    quiet.progress.advance(1, 2);
    quiet.progress.clear();
    expect(quiet.lines).toEqual([]);
    quiet.progress.say("damaged");
    expect(quiet.lines).toHaveLength(1);
  });

  it("draws a bar as long as what is done, does not go back, and counts in units that can be read", () => {
    const { progress, lines, wait } = at(true);
    wait(1);
    progress.stage("exact", 1, 2);
    expect(lines.at(-1)).toBe(`\r\u001b[Kexact ${"█".repeat(12)}${"░".repeat(12)} 50 %, 1 s`);
    wait(0.05);
    progress.advance(1, 2);
    expect(lines).toHaveLength(1);
    wait(299.95);
    progress.advance(1, 2);
    expect(lines.at(-1)).toBe(`\r\u001b[Kexact ${"█".repeat(18)}${"░".repeat(6)} 75 %, 5 min, about 5 min left`);
    wait(7200);
    progress.advance(0, 2);
    expect(lines.at(-1)).toBe(`\r\u001b[Kexact ${"█".repeat(18)}${"░".repeat(6)} 75 %, 2.1 h, about 2.1 h left`);
    // another whole begins anew
    progress.stage("next", 0, 3);
    wait(600);
    progress.advance(1, 1);
    expect(lines.at(-1)).toBe(`\r\u001b[Knext ${"█".repeat(8)}${"░".repeat(16)} 33 %, 2.3 h, about 20 min left`);
    progress.say("so");
    expect(lines.at(-1)).toBe("\r\u001b[Kso\n");
  });

  it("does not guess from nothing", () => {
    expect(timeLeft(0.04, 100)).toBeUndefined();
    expect(timeLeft(0.9, 100, 0.9)).toBeUndefined();
    expect(timeLeft(0.5, 1)).toBeUndefined();
    expect(timeLeft(0.25, 10)).toBe(30);
    // resumed at the half: a quarter took ten seconds, and one is left
    expect(timeLeft(0.75, 10, 0.5)).toBe(10);
  });
});

describe("expected time", () => {
  it("extends the measured power of P", () => {
    expect(
      extended(
        [
          { points: 40, seconds: 1 },
          { points: 80, seconds: 4 },
        ],
        800,
      ),
    ).toBeCloseTo(400, 10);
    expect(
      extended(
        [
          { points: 40, seconds: 1 },
          { points: 80, seconds: 100 },
        ],
        160,
      ),
    ).toBeCloseTo(800, 10);
    expect(
      extended(
        [
          { points: 40, seconds: 2 },
          { points: 80, seconds: 1 },
        ],
        160,
      ),
    ).toBe(1);
    expect(extended([{ points: 30, seconds: 5 }], 30)).toBe(5);
  });
});

describe("points that a dry run tries", () => {
  it("begin with one of every class, and keep their order otherwise", () => {
    const oneHot = { data: Float64Array.of(1, 0, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 1), shape: [5, 3] as const };
    expect(firstOfEveryKind(oneHot)).toEqual([0, 2, 4, 1, 3]);
    expect(firstOfEveryKind({ data: Float64Array.of(0.1, -2, 0.3), shape: [3, 1] })).toEqual([0, 1, 2]);
  });
});
