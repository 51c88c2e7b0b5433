import { inputError } from "@finitewidth/core";

const rotate = (x: number, bits: number): number => (x << bits) | (x >>> (32 - bits));

function avalanche(word: number): number {
  let h = word;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** MurmurHash3_x86_128 (seed 0) of a list of 32-bit words, a multiple of four of them: four 32-bit words. */
export function hashWords(words: Int32Array): Int32Array {
  const c = [0x239b961b, 0xab0e9789, 0x38b34ae5, 0xa1e38b93] as const;
  let [h1, h2, h3, h4] = [0, 0, 0, 0];
  for (let i = 0; i < words.length; i += 4) {
    h1 ^= Math.imul(rotate(Math.imul(words[i]!, c[0]), 15), c[1]);
    h1 = (Math.imul((rotate(h1, 19) + h2) | 0, 5) + 0x561ccd1b) | 0;
    h2 ^= Math.imul(rotate(Math.imul(words[i + 1]!, c[1]), 16), c[2]);
    h2 = (Math.imul((rotate(h2, 17) + h3) | 0, 5) + 0x0bcaa747) | 0;
    h3 ^= Math.imul(rotate(Math.imul(words[i + 2]!, c[2]), 17), c[3]);
    h3 = (Math.imul((rotate(h3, 15) + h4) | 0, 5) + 0x96cd1c35) | 0;
    h4 ^= Math.imul(rotate(Math.imul(words[i + 3]!, c[3]), 18), c[0]);
    h4 = (Math.imul((rotate(h4, 13) + h1) | 0, 5) + 0x32ac3b17) | 0;
  }
  const bytes = 4 * words.length;
  h1 ^= bytes;
  h2 ^= bytes;
  h3 ^= bytes;
  h4 ^= bytes;
  h1 = (h1 + h2 + h3 + h4) | 0;
  h2 = (h2 + h1) | 0;
  h3 = (h3 + h1) | 0;
  h4 = (h4 + h1) | 0;
  h1 = avalanche(h1);
  h2 = avalanche(h2);
  h3 = avalanche(h3);
  h4 = avalanche(h4);
  h1 = (h1 + h2 + h3 + h4) | 0;
  return Int32Array.of(h1, (h2 + h1) | 0, (h3 + h1) | 0, (h4 + h1) | 0);
}

/**
 * 128 bits from a seed and indices. Every integer enters with its low and its high 32 bits, then the number of integers, so (1), (1, 0) and
 * (0, 1) differ; two different lists share a state with probability 2⁻¹²⁸.
 * @throws FinitewidthError (code "input") for anything but safe integers.
 */
export function stateOf(seed: number, indices: readonly number[]): Int32Array {
  const integers = [seed, ...indices];
  const words = new Int32Array(4 * Math.ceil((2 * integers.length + 1) / 4));
  integers.forEach((value, i) => {
    if (!Number.isSafeInteger(value)) throw inputError(i === 0 ? "seed" : `indices[${i - 1}]`, "an integer", value);
    words[2 * i] = value;
    words[2 * i + 1] = Math.floor(value / 2 ** 32);
  });
  words[2 * integers.length] = integers.length;
  return hashWords(words);
}
