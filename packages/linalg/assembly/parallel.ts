// Work that threads share. A job is cut into chunks that do not depend on the number of threads, so neither do the numbers; whoever is free
// takes the next chunk. Without threads, and inside a chunk, the chunks are done in turn.

/** What a chunk does: its parameters, written by the caller of `share`, and its number. */
type Chunk = (parameters: usize, chunk: i32) => void;

// From JavaScript (module "parallel"): has the chunks of the job in shared memory done by all threads, and returns when they are.
declare function fork(chunks: i32): void;

/** Bytes of the parameters of one job, its chunk function first. */
const FRAME: i32 = 160;
const DEPTH: i32 = 8;
/** The pool counts chunks in 16 bits. */
const MOST_CHUNKS: i32 = 65535;

let job: usize = 0;
let stack: usize = 0;
let depth: i32 = 0;
let threaded: bool = false;

/** Bytes at `job` (shared by all threads) and at `stack` (of this thread). */
export function jobBytes(): usize {
  return FRAME;
}

export function stackBytes(): usize {
  return FRAME * DEPTH;
}

export function setJob(at: usize): void {
  job = at;
}

export function setStack(at: usize): void {
  stack = at;
}

/** Whether this instance may ask other threads for help. */
export function setThreaded(value: bool): void {
  threaded = value;
}

/** Whether the next `share` goes to all threads. */
export function sharing(): bool {
  return threaded && depth == 0;
}

/** Where the parameters of the next job go: slots of 8 bytes. */
export function parameters(): usize {
  return (depth == 0 ? job : stack + <usize>(depth * FRAME)) + 8;
}

export function share(chunks: i32, work: Chunk): void {
  const at = parameters();
  if (threaded && depth == 0 && chunks > 1 && chunks <= MOST_CHUNKS) {
    store<usize>(at - 8, changetype<usize>(work));
    fork(chunks);
    return;
  }
  depth++;
  for (let chunk: i32 = 0; chunk < chunks; chunk++) work(at, chunk);
  depth--;
}

/** One chunk of the job in shared memory; called by every thread. */
export function runChunk(chunk: i32): void {
  depth++;
  changetype<Chunk>(load<usize>(job))(job + 8, chunk);
  depth--;
}

export function setPointer(at: usize, slot: i32, value: usize): void {
  store<usize>(at + ((<usize>slot) << 3), value);
}

export function pointer(at: usize, slot: i32): usize {
  return load<usize>(at + ((<usize>slot) << 3));
}

export function setCount(at: usize, slot: i32, value: i32): void {
  store<i32>(at + ((<usize>slot) << 3), value);
}

export function count(at: usize, slot: i32): i32 {
  return load<i32>(at + ((<usize>slot) << 3));
}
