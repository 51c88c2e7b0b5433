import { FinitewidthError, type Task } from "@finitewidth/core";
import { setBackend, type Backend } from "@finitewidth/linalg";
import { createNativeBackend, nativeProblem } from "@finitewidth/linalg-native";

/** What `--backend` may be: the add-on where it is installed, WebAssembly, or the add-on and nothing else. */
export type BackendChoice = "auto" | "wasm" | "native";

/**
 * The add-on's backend where the choice asks for it; undefined means WebAssembly. That is the default even where the add-on is installed:
 * chains of samplers follow every last digit, and the same command is to give the same numbers whether or not an optional package is there.
 * @throws FinitewidthError (code "input") for "native" where there is no add-on, with the reason.
 */
export function nativeBackendFor(choice: BackendChoice): Backend | undefined {
  const native = choice === "wasm" ? undefined : createNativeBackend();
  if (choice === "native" && native === undefined)
    throw new FinitewidthError(`--backend: expected auto or wasm on this machine, got native: ${nativeProblem()}`, {
      code: "input",
      path: "--backend",
    });
  return native;
}

/** Gives a worker the add-on's backend, before its first chunk. */
export const useNativeBackend: Task<null, null> = {
  module: import.meta.url,
  name: "useNativeBackend",
  run() {
    setBackend(nativeBackendFor("native")!);
    return null;
  },
};
