import { spawn } from "node:child_process";

const openers: Readonly<Record<string, readonly string[]>> = { darwin: ["open"], win32: ["explorer"] };

/** Shows a file in the browser of the desktop; where there is none, nothing happens. */
export function openPage(file: string): void {
  const [program, ...before] = openers[process.platform] ?? ["xdg-open"];
  const child = spawn(program!, [...before, file], { stdio: "ignore", detached: true });
  child.on("error", () => undefined);
  child.unref();
}
