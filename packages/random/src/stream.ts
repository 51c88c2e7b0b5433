import type { RandomStream } from "@finitewidth/core";
import { inputError } from "@finitewidth/core";
import { xoroshiro128plusFromState } from "pure-rand/generator/xoroshiro128plus";

/**
 * The stream addressed by a seed and any number of indices: same address, same numbers, whoever draws them; different addresses, independent
 * numbers. xoroshiro128+ whose state is a 128-bit hash of the address (two streams collide with probability 2⁻¹²⁸).
 * @throws FinitewidthError (code "input") when the seed or an index is not an integer ≥ 0.
 */
export function stream(seed: number, ...indices: readonly number[]): RandomStream {
  const generator = xoroshiro128plusFromState(hash([seed, ...indices]));
  let spare = Number.NaN;

  // The lowest bits of xoroshiro128+ are linear: 27 + 26 upper ones make a double.
  const uniform = (): number => ((generator.next() >>> 5) * 67_108_864 + (generator.next() >>> 6)) / 9_007_199_254_740_992;

  const normal = (): number => {
    if (!Number.isNaN(spare)) {
      const value = spare;
      spare = Number.NaN;
      return value;
    }
    for (;;) {
      const x = 2 * uniform() - 1;
      const y = 2 * uniform() - 1;
      const square = x * x + y * y;
      if (square >= 1 || square === 0) continue;
      const factor = Math.sqrt((-2 * Math.log(square)) / square);
      spare = y * factor;
      return x * factor;
    }
  };

  const gamma = (shape: number): number => {
    if (!(shape > 0 && Number.isFinite(shape))) throw inputError("shape", "a positive number", shape);
    // Marsaglia and Tsang 2000; below shape 1 by their boost G(a) = G(a + 1) U^{1/a}.
    if (shape < 1) return gamma(shape + 1) * (1 - uniform()) ** (1 / shape);
    const d = shape - 1 / 3;
    const c = 1 / Math.sqrt(9 * d);
    for (;;) {
      const x = normal();
      const v = (1 + c * x) ** 3;
      if (v <= 0) continue;
      const u = 1 - uniform();
      if (u < 1 - 0.0331 * x ** 4 || Math.log(u) < 0.5 * x * x + d * (1 - v + Math.log(v))) return d * v;
    }
  };

  return {
    uniform,
    normal,
    normals(out) {
      for (let i = 0; i < out.length; i++) out[i] = normal();
      return out;
    },
    gamma,
  };
}

/** Four 32-bit words from a list of integers (each up to 2⁵³), by the mixing steps of MurmurHash3 in four lanes. */
function hash(address: readonly number[]): number[] {
  const lanes = [0x9e3779b9, 0x243f6a88, 0xb7e15162, 0x517cc1b7];
  address.forEach((value, position) => {
    if (!Number.isSafeInteger(value) || value < 0) throw inputError(position === 0 ? "seed" : `index ${position}`, "an integer ≥ 0", value);
    for (const word of [value >>> 0, Math.floor(value / 4_294_967_296), position + 1]) {
      for (let lane = 0; lane < 4; lane++) lanes[lane] = mix(Math.imul(lanes[lane]! ^ mix(word + Math.imul(lane + 1, 0x85ebca6b)), 0xcc9e2d51) + lanes[(lane + 1) % 4]!);
    }
  });
  return lanes.every((lane) => lane === 0) ? [1, 0, 0, 0] : lanes;
}

function mix(word: number): number {
  let h = word | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
