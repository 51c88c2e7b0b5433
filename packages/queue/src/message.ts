import { createHash } from "node:crypto";
import { FinitewidthError, type Plugin, type Task } from "@finitewidth/core";
import type { ErrorRecord } from "@finitewidth/workers";
import { hostileKeys, isHashOf, mostBytes, type Packed } from "./codec.js";
import { prefix, type Redis } from "./engine.js";

/** Version of what follows. A worker refuses every other. */
export const protocol = 1;
/** Seconds after which what nobody asked for is forgotten. */
export const expiry = 24 * 3600;
/** Whether a job that was made at a time (milliseconds) is one that nobody waits for any more. */
export const isTooOld = (made: number, now: number): boolean => now - made > 1000 * expiry;
/** What jobs are named. */
export const jobName = "chunk";

/** The data of a job: names, versions and bytes, nothing that could be run. */
export interface Message {
  readonly protocol: number;
  /** "package#task". */
  readonly task: string;
  /** Versions that decide about numbers: of finitewidth, its backend, and every plug-in of others. */
  readonly versions: Readonly<Record<string, string>>;
  /** The chunk as MessagePack in base 64. */
  readonly chunk: string;
  /** Hashes of its large arrays. */
  readonly shared: readonly string[];
}

/** What came of a chunk. An error of the task is an answer too: pure functions are not tried again. */
export type Answer = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: ErrorRecord };

/** Refused by a worker before anything ran. */
export class Refusal extends Error {}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);
const fields = ["protocol", "task", "versions", "chunk", "shared"];
const short = (value: unknown): value is string => typeof value === "string" && value.length <= 200;

/** Checks the data of a job, and that it is for this version. @throws Refusal. */
export function readMessage(data: unknown, own: Readonly<Record<string, string>>): Message {
  if (!isRecord(data)) throw new Refusal("it is no message");
  for (const key of Object.keys(data)) {
    if (hostileKeys.has(key)) throw new Refusal(`the key ${key} is not allowed`);
    if (!fields.includes(key)) throw new Refusal(`an unknown key ${JSON.stringify(key.slice(0, 60))}`);
  }
  if (data.protocol !== protocol)
    throw new Refusal(
      `it speaks protocol ${JSON.stringify(data.protocol)?.slice(0, 20)}, this worker ${protocol}: use the same version of finitewidth`,
    );
  const { task, versions, chunk, shared } = data;
  if (!short(task)) throw new Refusal("task: expected a name");
  if (!isRecord(versions) || !Object.values(versions).every(short)) throw new Refusal("versions: expected texts");
  if (typeof chunk !== "string" || chunk.length > (mostBytes * 4) / 3 + 4)
    throw new Refusal(`chunk: expected at most ${mostBytes / 2 ** 20} MiB`);
  if (!Array.isArray(shared) || shared.length > 1000 || !shared.every((hash) => typeof hash === "string" && /^[0-9a-f]{64}$/.test(hash)))
    throw new Refusal("shared: expected hashes");
  for (const [name, version] of Object.entries(versions as Record<string, string>)) {
    if (hostileKeys.has(name)) throw new Refusal(`the key ${name} is not allowed`);
    const here = Object.hasOwn(own, name) ? own[name] : undefined;
    if (here !== version) throw new Refusal(`it needs ${name.slice(0, 60)} ${version.slice(0, 60)}; this worker has ${here ?? "none"}`);
  }
  return data as unknown as Message;
}

/** Tasks by the names that messages may use: those that plug-ins of the registry declare, and some more. */
export function tasksByName(
  plugins: readonly Plugin[],
  more: Readonly<Record<string, readonly Task<never, unknown>[]>>,
): ReadonlyMap<string, Task<never, unknown>> {
  const all = [...plugins.map(({ name, tasks = [] }) => [name, tasks] as const), ...Object.entries(more)];
  return new Map(all.flatMap(([name, tasks]) => tasks.map((task) => [`${name}#${task.name}`, task] as const)));
}

/** The id of a job is what it computes: the same chunk is the same job. */
export const idOf = ({ task, versions, chunk }: Message): string =>
  createHash("sha256")
    .update(JSON.stringify([protocol, task, versions]))
    .update(chunk)
    .digest("hex")
    .slice(0, 40);

export const answerKey = (id: string): string => `${prefix}:answer:${id}`;
const sharedKey = (hash: string): string => `${prefix}:shared:${hash}`;
export const cancelChannel = `${prefix}:cancel`;

/** Seconds that shared arrays are kept after somebody last said that they are needed, and after nobody here needs them. */
const sharedLife = 900;
const sharedRest = 60;

/** Keeps the arrays that a message shares with others; those that are there only live longer. */
export async function keepShared(redis: Redis, shared: Packed["shared"]): Promise<void> {
  for (const [hash, bytes] of shared)
    if ((await redis.expire(sharedKey(hash), sharedLife)) === 0) await redis.set(sharedKey(hash), bytes, "EX", sharedLife);
}

/** Arrays that nobody here needs any more. */
export async function leaveShared(redis: Redis, hashes: readonly string[]): Promise<void> {
  for (const hash of hashes) await redis.expire(sharedKey(hash), sharedRest);
}

/** The arrays with these hashes. @throws FinitewidthError when one is missing or is another, Refusal when they are too large. */
export async function loadShared(redis: Redis, hashes: readonly string[]): Promise<ReadonlyMap<string, Uint8Array>> {
  const found = new Map<string, Uint8Array>();
  let total = 0;
  for (const hash of hashes) {
    const bytes = await redis.getBuffer(sharedKey(hash));
    if (!bytes) throw new FinitewidthError("an array that this message needs is not in the queue any more", { code: "worker" });
    if (!isHashOf(hash, bytes)) throw new Refusal("an array is not what its hash says");
    total += bytes.byteLength;
    if (total > mostBytes) throw new Refusal(`its arrays are more than ${mostBytes / 2 ** 20} MiB`);
    found.set(hash, bytes);
  }
  return found;
}
