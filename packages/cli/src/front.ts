import { completionScript, helpText, readArguments, UsageError, type Arguments } from "./arguments.js";
import { commands } from "./commands.js";
import { version } from "./version.js";

/** What is answered at once, or what is to be executed. */
export type Front = { readonly text: string; readonly status: number } | { readonly execute: Arguments };

/** Help, version, completion and mistakes in what was typed, without loading anything else. */
export function front(argv: readonly string[]): Front {
  const answer = (text: string, status = 0): Front => ({ text: `${text}\n`, status });
  if (argv[0] === "--version" || argv[0] === "-v")
    return answer(`finitewidth/${version} node-${process.version} ${process.platform}-${process.arch}`);
  try {
    const typed = readArguments(argv, commands);
    if (!typed || typed.flags.help === true) return answer(helpText(commands, typed?.command));
    if (typed.command.name === "completion") return answer(completionScript(typed.argument ?? "", commands));
    if (typed.command.name === "serve" && typed.flags.stdio !== true)
      return answer("serve: expected --stdio (requests on standard input, answers on standard output), got nothing", 2);
    return { execute: typed };
  } catch (error) {
    if (error instanceof UsageError) return answer(error.message, 2);
    throw error;
  }
}
