import { createHash, timingSafeEqual } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { homedir, platform } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { cachedDataVersionTag } from "node:v8";
import { Script } from "node:vm";

const digest = (...parts: readonly (string | Uint8Array)[]): Buffer => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
};
const digestLength = 32;
const month = 30 * 24 * 3600 * 1000;

/**
 * Runs a file of CommonJS, with `importModule` in place of import(), by the code that V8 made of it the last time; its exports. That code
 * is kept among the user's own caches under the hash of the file, Node's version, V8's flags and the purpose; it is used where it is as it
 * was written and nobody else can have written it. A cache that is damaged, or cannot be kept, costs time and nothing else; those that are
 * older than a month go when another is kept. NODE_DISABLE_COMPILE_CACHE=1 goes without.
 * @param purpose what the file is run for: code is compiled where it is needed, so each purpose has its own
 */
export function runCached(address: URL, purpose = ""): unknown {
  const file = fileURLToPath(address);
  const source = readFileSync(file);
  const place = placeOf(source, purpose);
  const kept = place === undefined ? undefined : readKept(place);
  // escaped by the bundler: one byte a character
  const text = source.toString("latin1");
  const script = new Script(`(function(exports,require,module,__filename,__dirname,importModule){${text}\n})`, {
    filename: file,
    ...(kept ? { cachedData: kept } : {}),
  });
  // at the end, when all that a command needs has been compiled
  if (place !== undefined && (!kept || script.cachedDataRejected === true))
    process.once("exit", () => keep(place, script.createCachedData()));
  const module = { exports: {} };
  // such code cannot say import() itself
  const importModule = (url: string): Promise<unknown> => import(url);
  const run = script.runInThisContext() as (...args: unknown[]) => void;
  run(module.exports, createRequire(file), module, file, dirname(file), importModule);
  return module.exports;
}

function placeOf(source: Uint8Array, purpose: string): string | undefined {
  if (process.env.NODE_DISABLE_COMPILE_CACHE === "1") return undefined;
  const caches =
    process.env.XDG_CACHE_HOME ??
    (platform() === "win32" ? process.env.LOCALAPPDATA : join(homedir(), platform() === "darwin" ? "Library/Caches" : ".cache"));
  if (!caches) return undefined;
  const key = digest(source, process.version, process.arch, String(cachedDataVersionTag()), purpose).toString("hex").slice(0, 32);
  return join(caches, "finitewidth", `${key}.code`);
}

/** What was kept, if it is whole and belongs to this user alone. */
function readKept(place: string): Buffer | undefined {
  try {
    const { uid, mode } = statSync(place);
    if (process.getuid && (uid !== process.getuid() || (mode & 0o022) !== 0)) return undefined;
    const content = readFileSync(place);
    const code = content.subarray(digestLength);
    return timingSafeEqual(content.subarray(0, digestLength), digest(code)) ? code : undefined;
  } catch {
    return undefined;
  }
}

function keep(place: string, code: Buffer): void {
  const part = `${place}.${process.pid}`;
  const attempt = (step: () => void): boolean => {
    try {
      step();
      return true;
    } catch {
      return false;
    }
  };
  const written = attempt(() => {
    mkdirSync(dirname(place), { recursive: true, mode: 0o700 });
    writeFileSync(part, Buffer.concat([digest(code), code]), { mode: 0o600, flag: "wx" });
    renameSync(part, place);
  });
  if (!written) attempt(() => rmSync(part, { force: true }));
  const folder = dirname(place);
  attempt(() => {
    // code, whole or in the making: what else lies there is not ours
    for (const file of readdirSync(folder).filter((name) => /^[0-9a-f]{32}\.code(\.\d+)?$/.test(name)))
      if (statSync(join(folder, file)).mtimeMs < Date.now() - month) rmSync(join(folder, file));
  });
}
