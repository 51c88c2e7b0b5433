import { createHash } from "node:crypto";
import { decode, encode, ExtensionCodec } from "@msgpack/msgpack";
import { FinitewidthError } from "@finitewidth/core";

/** Bytes that a message may have, its arrays included. */
export const mostBytes = 64 * 2 ** 20;
/** Bytes from which on an array is kept once for all messages that have it. */
const sharedFrom = 32 * 2 ** 10;

const arrays = [Float64Array, Float32Array, Int32Array, Uint32Array, Uint8Array] as const;
type Numbers = Float64Array | Float32Array | Int32Array | Uint32Array | Uint8Array;
const sharedType = arrays.length;

/** A message and the arrays that it shares with others, by their SHA-256. */
export interface Packed {
  readonly bytes: Buffer;
  readonly shared: ReadonlyMap<string, Buffer>;
}

const bytesOf = (array: Numbers): Uint8Array => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
const inBase = (type: number, bytes: Uint8Array): Numbers => {
  const build = arrays[type];
  if (!build || bytes.byteLength % build.BYTES_PER_ELEMENT !== 0) throw new Error("an array of no kind that is known");
  const own = new Uint8Array(bytes);
  return new build(own.buffer);
};

/**
 * Plain data as MessagePack: numbers bit for bit, arrays of numbers as they are. @param whole with its large arrays in it. @throws
 * FinitewidthError beyond `mostBytes`.
 */
export function pack(value: unknown, whole = false): Packed {
  const shared = new Map<string, Buffer>();
  const extensionCodec = new ExtensionCodec();
  for (const [type, build] of arrays.entries())
    extensionCodec.register({
      type,
      encode: (input) => {
        if (!(input instanceof build)) return null;
        const bytes = bytesOf(input);
        return bytes.byteLength >= sharedFrom && !whole ? null : bytes;
      },
      decode: () => undefined,
    });
  extensionCodec.register({
    type: sharedType,
    encode: (input) => {
      const type = arrays.findIndex((build) => input instanceof build);
      if (type < 0) return null;
      const bytes = Buffer.concat([Uint8Array.of(type), bytesOf(input as Numbers)]);
      const hash = createHash("sha256").update(bytes).digest();
      shared.set(hash.toString("hex"), bytes);
      return hash;
    },
    decode: () => undefined,
  });
  const bytes = encode(value, { extensionCodec, forceIntegerToFloat: true, ignoreUndefined: true });
  const total = [...shared.values()].reduce((sum, one) => sum + one.byteLength, bytes.byteLength);
  if (total > mostBytes)
    throw new FinitewidthError(
      `a message of ${Math.ceil(total / 2 ** 20)} MiB is more than the ${mostBytes / 2 ** 20} MiB that a queue takes`,
      { code: "worker" },
    );
  return { bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), shared };
}

/** The data again. @throws Error for anything that `pack` does not make; keys that reach prototypes are refused by the decoder. */
export function unpack(bytes: Uint8Array, shared: ReadonlyMap<string, Uint8Array>): unknown {
  const extensionCodec = new ExtensionCodec();
  for (const type of arrays.keys()) extensionCodec.register({ type, encode: () => null, decode: (data) => inBase(type, data) });
  extensionCodec.register({
    type: sharedType,
    encode: () => null,
    decode: (hash) => {
      const found = shared.get(Buffer.from(hash).toString("hex"));
      if (!found) throw new Error("an array is missing");
      return inBase(found[0]!, found.subarray(1));
    },
  });
  const limit = mostBytes;
  const value = decode(bytes, {
    extensionCodec,
    mapKeyConverter: (key) => {
      if (typeof key !== "string" || hostileKeys.has(key)) throw new Error(`the key ${JSON.stringify(key)} is not allowed`);
      return key;
    },
    maxStrLength: limit,
    maxBinLength: limit,
    maxArrayLength: limit,
    maxMapLength: limit,
    maxExtLength: limit,
  });
  return value;
}

/** Keys of objects through which data would reach their prototypes. */
export const hostileKeys: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"]);

/** Whether an array has the hash that it is kept under. */
export const isHashOf = (hash: string, bytes: Uint8Array): boolean => createHash("sha256").update(bytes).digest("hex") === hash;
