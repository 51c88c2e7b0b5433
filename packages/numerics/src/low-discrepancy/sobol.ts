import { inputError, shapeError, type Matrix, type RandomStream } from "@finitewidth/core";
import { stream } from "@finitewidth/random";
import { directionNumbers, sobolBits, sobolMaximumDimensions } from "./direction-numbers.js";

/** 32 random bits. */
const bits = (source: RandomStream): number => Math.floor(source.uniform() * 2 ** 32);

/** Number of ones, modulo 2. */
function parity(value: number): number {
  let folded = value ^ (value >>> 16);
  folded ^= folded >>> 8;
  folded ^= folded >>> 4;
  folded ^= folded >>> 2;
  folded ^= folded >>> 1;
  return folded & 1;
}

/** Applies a random lower triangular matrix with unit diagonal to the binary digits (most significant first) of each number. */
function scrambleDigits(v: Uint32Array, source: RandomStream): Uint32Array {
  const out = new Uint32Array(v.length);
  for (let i = 0; i < sobolBits; i++) {
    const bit = sobolBits - 1 - i;
    // digit i of the result: digit i itself plus random ones among the digits before it
    const before = i === 0 ? 0 : bits(source) & ~(2 ** (bit + 1) - 1);
    const mask = before | (1 << bit);
    for (let j = 0; j < v.length; j++) if (parity(v[j]! & mask)) out[j]! |= 1 << bit;
  }
  return out;
}

/** What points to draw. */
export interface SobolOptions {
  readonly dimensions: number;
  /** 2^log2Count points. */
  readonly log2Count: number;
  /** Scrambles with random linear digit matrices and a random digital shift; undefined: the plain sequence (moved by 2⁻³³ off zero). */
  readonly seed?: number;
  /** Array of 2^log2Count · dimensions numbers that takes the points, instead of a new one. */
  readonly into?: Float64Array;
}

/**
 * The first 2ᵐ points of a Sobol sequence in the open unit cube: 2ᵐ × d, in Gray-code order. With a seed, Matoušek's linear matrix
 * scrambling plus digital shift: every point is uniform, the net's quality is kept, and different seeds give independent error estimates.
 * @throws FinitewidthError (code "input") for more than 1,024 dimensions or 2³¹ points, (code "shape") for an array of another length.
 * O(2ᵐ d).
 */
export function sobolPoints({ dimensions, log2Count, seed, into }: SobolOptions): Matrix {
  if (!(Number.isInteger(dimensions) && dimensions >= 1 && dimensions <= sobolMaximumDimensions)) {
    throw inputError("dimensions", `an integer from 1 to ${sobolMaximumDimensions}`, dimensions);
  }
  if (!(Number.isInteger(log2Count) && log2Count >= 0 && log2Count < sobolBits))
    throw inputError("log2Count", "an integer from 0 to 31", log2Count);
  const count = 2 ** log2Count;
  if (into && into.length !== count * dimensions) throw shapeError("into", `${count * dimensions} numbers`, `${into.length}`);
  const data = into ?? new Float64Array(count * dimensions);
  for (const [d, plain] of directionNumbers(dimensions).entries()) {
    const source = seed === undefined ? undefined : stream(seed, d);
    const v = source ? scrambleDigits(plain, source) : plain;
    let x = source ? bits(source) : 0;
    for (let i = 0; i < count; i++) {
      data[i * dimensions + d] = ((x >>> 0) + 0.5) * 2 ** -sobolBits;
      x ^= v[31 - Math.clz32(~i & (i + 1))]!;
    }
  }
  return { data, shape: [count, dimensions] };
}
