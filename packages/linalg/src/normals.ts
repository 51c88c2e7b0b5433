import { inputError } from "@finitewidth/core";
import { backend } from "./backend.js";

/** Normals per block of an addressable stream. */
export const normalBlockLength = 4096;

/** Three 32-bit integers that name a stream, e.g. (seed, purpose, chain). */
export type StreamKey = readonly [number, number, number];

/**
 * Fills `out` with standard normals from an addressable stream, numbers 4096·firstBlock onwards of stream `key`, and returns it. Any block
 * is made without the ones before it, and all backends on all machines give the same bits: Philox4x32-10 of (key, block) starts
 * xoshiro256++, whose bits a ziggurat of 256 layers turns into normals. Blocks and streams of different keys are independent.
 * @throws FinitewidthError (code "input") for keys or blocks that are not 32-bit unsigned integers. O(length), nothing allocated.
 */
export function fillStreamNormals(out: Float64Array, key: StreamKey, firstBlock = 0): Float64Array {
  const blocks = Math.ceil(out.length / normalBlockLength);
  [...key, firstBlock, firstBlock + blocks].forEach((value, i) => {
    if (!(Number.isInteger(value) && value >= 0 && value < 2 ** 32))
      throw inputError(i < 3 ? `key[${i}]` : "firstBlock", "an integer from 0 to 2³² − 1", value);
  });
  for (let block = 0; block < blocks; block++) {
    const at = block * normalBlockLength;
    backend().normalBlock(out.subarray(at, at + normalBlockLength), key, firstBlock + block);
  }
  return out;
}

/** `count` standard normals in a fresh array; see `fillStreamNormals`. @throws FinitewidthError (code "input"). */
export function streamNormals(count: number, key: StreamKey, firstBlock = 0): Float64Array {
  if (!(Number.isInteger(count) && count >= 0)) throw inputError("count", "an integer ≥ 0", count);
  return fillStreamNormals(new Float64Array(count), key, firstBlock);
}
