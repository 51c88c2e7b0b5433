import { inlineRun, type Registry, type Run } from "@finitewidth/core";

/** What a command needs to start computing. */
export interface RunSettings {
  readonly registry: Registry;
  /** Third-party packages, loaded again in every worker. */
  readonly plugins: readonly string[];
  readonly folder: string;
  readonly seed: number;
  readonly workers: number;
  readonly signal: AbortSignal;
  readonly out: string;
  readonly resume: boolean;
}

/** Opens the run of a command; `close` ends its workers. */
export async function openRun(settings: RunSettings): Promise<{ readonly run: Run; close(): Promise<void> }> {
  const { registry, seed, signal } = settings;
  return { run: inlineRun({ registry, seed, signal }), close: async () => undefined };
}
