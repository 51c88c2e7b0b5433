import { parseArgs } from "node:util";

/** A flag of a command; `value` names what follows it, without one it is a switch. */
export interface Flag {
  readonly name: string;
  readonly value?: string;
  readonly summary: string;
  /** May be given several times. */
  readonly multiple?: boolean;
}

/** A command of the program. */
export interface Command {
  readonly name: string;
  /** Name of its argument, e.g. "experiment"; in brackets when it may be left out. */
  readonly argument?: string;
  readonly summary: string;
  readonly flags: readonly Flag[];
  readonly example?: string;
}

/** What was typed. */
export interface Arguments {
  readonly command: Command;
  readonly argument?: string;
  /** All of them, where a command takes several. */
  readonly positionals: readonly string[];
  readonly flags: Readonly<Record<string, string | boolean | readonly string[] | undefined>>;
}

/** Something typed is wrong: exit status 2. (No error of core: help and completion wait for no other module.) */
export class UsageError extends Error {}

const usage = (message: string, path: string): UsageError => new UsageError(`${path}: ${message}`);

/**
 * Reads what follows the program's name; undefined when nothing is to be done but to print `help`. Values are text as typed. @throws
 * UsageError quoting what is wrong.
 */
export function readArguments(argv: readonly string[], commands: readonly Command[]): Arguments | undefined {
  const [name, ...rest] = argv;
  if (name === undefined || name === "--help" || name === "-h" || name === "help") return undefined;
  const command = commands.find((one) => one.name === name);
  if (!command) throw usage(`unknown command; expected one of ${commands.map((one) => one.name).join(", ")}`, name);
  const flags = [...command.flags, { name: "help", summary: "Show this" }];
  const { tokens } = parseArgs({
    args: rest,
    strict: false,
    allowPositionals: true,
    tokens: true,
    options: {
      ...Object.fromEntries(
        flags.map((flag) => [flag.name, { type: "value" in flag && flag.value ? ("string" as const) : ("boolean" as const) }]),
      ),
      h: { type: "boolean" },
    },
  });
  const found: Record<string, string | boolean | string[]> = {};
  const positionals: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") positionals.push(token.value);
    if (token.kind !== "option") continue;
    const flag = token.rawName === "-h" ? flags.at(-1)! : flags.find((one) => `--${one.name}` === token.rawName);
    if (!flag) throw usage(`unknown option; expected one of ${flags.map((one) => `--${one.name}`).join(", ")}`, token.rawName);
    const wants = "value" in flag ? flag.value : undefined;
    if (wants !== undefined && (token.value === undefined || (!token.inlineValue && token.value.startsWith("--"))))
      throw usage(`expected ${wants}, got nothing`, token.rawName);
    if (wants === undefined && token.value !== undefined) throw usage("takes no value", token.rawName);
    if (flag.name in found && !("multiple" in flag && flag.multiple)) throw usage("given twice", token.rawName);
    if ("multiple" in flag && flag.multiple) found[flag.name] = [...((found[flag.name] as string[] | undefined) ?? []), token.value!];
    else found[flag.name] = token.value ?? true;
  }
  const needed = command.argument !== undefined && !command.argument.startsWith("[");
  if (found.help !== true) {
    if (needed && positionals.length === 0) throw usage(`expected ${command.argument}, got nothing`, name);
    const most = command.argument === undefined ? 0 : command.argument.includes("…") ? Infinity : 1;
    if (positionals.length > most) throw usage(`unexpected argument ${JSON.stringify(positionals[most])}`, name);
  }
  return { command, ...(positionals[0] === undefined ? {} : { argument: positionals[0] }), positionals, flags: found };
}

/** Help of the program, or of one command. */
export function helpText(commands: readonly Command[], command?: Command): string {
  const table = (rows: readonly (readonly [string, string])[]): string => {
    const width = Math.max(...rows.map(([left]) => left.length));
    return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`).join("\n");
  };
  const signature = ({ name, argument }: Command): string => (argument === undefined ? name : `${name} ${argument}`);
  if (!command)
    return `finitewidth – what Bayesian neural networks of finite width know\n\nUsage: finitewidth <command> [options]\n\n${table(
      commands.map((one) => [signature(one), one.summary]),
    )}\n\nfinitewidth <command> --help shows its options; finitewidth --version the version.`;
  const flags = command.flags.map(({ name, value, summary }): [string, string] => [value ? `--${name} ${value}` : `--${name}`, summary]);
  return `finitewidth ${signature(command)}\n\n${command.summary}.\n${flags.length > 0 ? `\n${table(flags)}\n` : ""}${
    command.example ? `\nExample: ${command.example}\n` : ""
  }`;
}

/** Completion script: `source <(finitewidth completion bash)`. */
export function completionScript(shell: string, commands: readonly Command[]): string {
  const names = commands.map((command) => command.name).join(" ");
  const cases = commands
    .filter((command) => command.flags.length > 0)
    .map((command) => `    ${command.name}) words="${command.flags.map((flag) => `--${flag.name}`).join(" ")}" ;;`)
    .join("\n");
  const bash = `_finitewidth() {
  local words="${names}" current="\${COMP_WORDS[COMP_CWORD]}"
  if [ "$COMP_CWORD" -gt 1 ]; then case "\${COMP_WORDS[1]}" in
${cases}
    *) words="" ;;
  esac; fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  case "$current" in -*) ;; *) [ "$COMP_CWORD" -gt 1 ] && COMPREPLY+=($(compgen -f -- "$current")) ;; esac
}
complete -o filenames -F _finitewidth finitewidth`;
  if (shell === "bash") return bash;
  if (shell === "zsh") return `autoload -U +X bashcompinit && bashcompinit\n${bash}`;
  if (shell === "fish")
    return commands
      .flatMap((command) => [
        `complete -c finitewidth -n __fish_use_subcommand -a ${command.name} -d '${command.summary.replaceAll("'", "’")}'`,
        ...command.flags.map(
          (flag) => `complete -c finitewidth -n '__fish_seen_subcommand_from ${command.name}' -l ${flag.name}${flag.value ? " -r" : ""}`,
        ),
      ])
      .join("\n");
  throw usage(`expected one of "bash", "zsh", "fish", got ${shell === "" ? "nothing" : JSON.stringify(shell)}`, "completion");
}
