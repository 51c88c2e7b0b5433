import type * as Comlink from "comlink";

/** A worker of either platform, as the pool sees it. */
export interface WorkerHandle {
  readonly endpoint: Comlink.Endpoint;
  /** Ends the worker at once; calls in flight stay unanswered. */
  terminate(): void;
  /** Calls back once when the worker ends or fails by itself. */
  onDeath(callback: (reason: string) => void): void;
  /** Whether the worker keeps the process alive (Node). */
  hold(alive: boolean): void;
}
