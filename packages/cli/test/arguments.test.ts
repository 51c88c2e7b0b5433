import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { completionScript, helpText, readArguments } from "../src/arguments.js";
import { commands } from "../src/commands.js";

const read = (...argv: string[]) => readArguments(argv, commands)!;

describe("arguments", () => {
  it("keep values as typed", () => {
    const { command, argument, flags } = read("run", "e.json", "--out", "007", "--workers=2", "--quiet");
    expect([command.name, argument, flags.out, flags.workers, flags.quiet]).toEqual(["run", "e.json", "007", "2", true]);
    expect(read("run", "e.json", "--out", "-x").flags.out).toBe("-x");
    expect(read("plugins", "--load", "a", "--load", "b").flags.load).toEqual(["a", "b"]);
  });

  it.each([
    [["rnu"], "rnu: unknown command; expected one of run, prior"],
    [["run"], "run: expected EXPERIMENT, got nothing"],
    [["run", "a", "b"], 'run: unexpected argument "b"'],
    [["run", "a", "--sead", "3"], "--sead: unknown option; expected one of --out"],
    [["run", "a", "--sead=3"], "--sead: unknown option"],
    [["run", "a", "--out", "x", "--out", "y"], "--out: given twice"],
    [["run", "a", "--out"], "--out: expected DIR, got nothing"],
    [["run", "a", "--out", "--quiet"], "--out: expected DIR, got nothing"],
    [["run", "a", "--quiet=yes"], "--quiet: takes no value"],
    [["run", "a", "-q"], "-q: unknown option"],
    [["plugins", "x"], 'plugins: unexpected argument "x"'],
  ])("refuse %j", (argv, message) => {
    expect(() => readArguments(argv, commands)).toThrow(message);
  });

  it("help names every command and every flag; completion does too", () => {
    expect(readArguments([], commands)).toBeUndefined();
    for (const command of commands) {
      expect(helpText(commands)).toContain(command.name);
      for (const flag of command.flags) {
        expect(helpText(commands, command)).toContain(`--${flag.name}`);
        for (const shell of ["bash", "zsh", "fish"]) expect(completionScript(shell, commands)).toContain(flag.name);
      }
    }
    expect(() => completionScript("cmd", commands)).toThrow(/^completion: expected one of "bash", "zsh", "fish", got "cmd"$/);
  });

  it("help says of every flag what it takes and what it does, on its own line, and shows the example", () => {
    for (const command of commands) {
      const lines = helpText(commands, command).split("\n");
      expect(lines[0]).toBe(`finitewidth ${command.name}${command.argument === undefined ? "" : ` ${command.argument}`}`);
      expect(lines[2]).toBe(`${command.summary}.`);
      for (const { name, value, summary } of command.flags)
        expect(lines.map((line) => line.trim().replace(/ {2,}/, "  "))).toContain(`--${name}${value ? ` ${value}` : ""}  ${summary}`);
      if (command.example) expect(lines).toContain(`Example: ${command.example}`);
      expect(helpText(commands)).toMatch(
        new RegExp(`^  ${command.name}\\b.*  ${command.summary.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)}$`, "m"),
      );
    }
  });

  it("bash completes commands first, then the flags of the command that was typed", () => {
    const completed = (...words: string[]): string[] => {
      const script = `${completionScript("bash", commands)}\nCOMP_WORDS=(finitewidth ${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${words.length}; _finitewidth; printf '%s\\n' "\${COMPREPLY[@]}"`;
      return spawnSync("bash", ["-c", script], { encoding: "utf8" })
        .stdout.split("\n")
        .filter((line) => line !== "");
    };
    expect(completed("")).toEqual(commands.map(({ name }) => name));
    expect(completed("pl")).toEqual(["plugins"]);
    for (const command of commands) expect(completed(command.name, "--")).toEqual(command.flags.map(({ name }) => `--${name}`));
    expect(completed("run", "--re")).toEqual(["--resume", "--referee"]);
    const fish = completionScript("fish", commands).split("\n");
    expect(fish).toContain("complete -c finitewidth -n '__fish_seen_subcommand_from run' -l shard -r");
    expect(fish).toContain("complete -c finitewidth -n '__fish_seen_subcommand_from run' -l resume");
  });
});
