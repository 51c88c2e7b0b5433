import type { RandomStream } from "@finitewidth/core";
import { gamma } from "./gamma.js";
import { stateOf } from "./key.js";
import { xoshiro128 } from "./xoshiro.js";
import { ziggurat } from "./ziggurat.js";

/**
 * Random numbers that depend on `seed` and `indices` only: `stream(seed, i)` for chunk i of a computation, `stream(seed, chain, block)`, …
 * Streams of different indices are independent. Generator: xoshiro128++ (Blackman and Vigna 2021), period 2¹²⁸ − 1, started from a
 * 128-bit hash of the integers; normals by the ziggurat, gamma variables by Marsaglia and Tsang.
 * @throws FinitewidthError (code "input") for a seed or index that is not an integer.
 */
export function stream(seed: number, ...indices: readonly number[]): RandomStream {
  const state = stateOf(seed, indices);
  if (state.every((word) => word === 0)) state[0] = 1;
  const bits = xoshiro128(state);
  const uniform = (): number => (bits() >>> 5) * 2 ** -27 + (bits() >>> 6) * 2 ** -53;
  const normal = ziggurat(bits, uniform);
  return {
    uniform,
    normal,
    normals: (out) => {
      for (let i = 0; i < out.length; i++) out[i] = normal();
      return out;
    },
    gamma: (shape) => gamma({ uniform, normal }, shape),
  };
}
