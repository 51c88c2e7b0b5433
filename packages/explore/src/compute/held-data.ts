import type { SentData, WorkerData } from "./messages.js";

let kept: WorkerData | undefined;

/** A worker was asked about data that it was never sent. */
export class MissingData extends Error {}

/** Data of a request: sent along, or those that came last. @throws MissingData when they are others. */
export function held(data: SentData): WorkerData {
  if ("train" in data) kept = data;
  if (kept?.id !== data.id) throw new MissingData(`data ${data.id} were not sent to this worker`);
  return kept;
}
