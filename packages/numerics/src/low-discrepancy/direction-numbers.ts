import { stream } from "@finitewidth/random";
import { primitivePolynomials } from "./primitive-polynomials.js";

/** Bits of a coordinate. */
export const sobolBits = 32;
/** Largest number of dimensions. */
export const sobolMaximumDimensions = 1024;

/**
 * Initial values m₁ … m_s of dimensions 2 … 22: S. Joe and F. Y. Kuo, Constructing Sobol sequences with better two-dimensional projections
 * (2008).
 */
const joeKuo: readonly (readonly number[])[] = [
  [1],
  [1, 3],
  [1, 3, 1],
  [1, 1, 1],
  [1, 1, 3, 3],
  [1, 3, 5, 13],
  [1, 1, 5, 5, 17],
  [1, 1, 5, 5, 5],
  [1, 1, 7, 11, 19],
  [1, 1, 5, 1, 1],
  [1, 1, 1, 3, 11],
  [1, 3, 5, 5, 31],
  [1, 3, 3, 9, 7, 49],
  [1, 1, 1, 15, 21, 21],
  [1, 3, 1, 13, 27, 49],
  [1, 1, 1, 15, 7, 5],
  [1, 3, 1, 15, 13, 25],
  [1, 1, 5, 5, 19, 61],
  [1, 3, 7, 11, 23, 15, 103],
  [1, 3, 7, 13, 13, 15, 69],
  [1, 1, 3, 13, 7, 35, 63],
];
/** Candidates per dimension, earlier dimensions compared with, and digits looked at, when initial values are searched for. */
const search = { candidates: 8, neighbours: 32, digits: 12, seed: 2008 } as const;

/** v₁ … v₃₂ (as 32-bit fractions) from the initial values by the recurrence of the polynomial. */
function extend(initial: readonly number[], inner: number): Uint32Array {
  const degree = initial.length;
  const v = new Uint32Array(sobolBits);
  for (let i = 0; i < sobolBits; i++) {
    if (i < degree) {
      v[i] = initial[i]! * 2 ** (sobolBits - 1 - i);
      continue;
    }
    let value = v[i - degree]! ^ (v[i - degree]! >>> degree);
    for (let k = 1; k < degree; k++) if ((inner >>> (degree - 1 - k)) & 1) value ^= v[i - k]!;
    v[i] = value;
  }
  return v;
}

/** Leading digits of the generator matrix as rows: bit j of row i is digit i of v_j. */
function generatorRows(v: Uint32Array): Uint32Array {
  const rows = new Uint32Array(search.digits);
  for (let i = 0; i < search.digits; i++) for (let j = 0; j < search.digits; j++) rows[i]! |= ((v[j]! >>> (sobolBits - 1 - i)) & 1) << j;
  return rows;
}

/** Reduces `row` by a basis indexed by leading bit and adds it; false when it was dependent. */
function insert(basis: Uint32Array, row: number): boolean {
  let rest = row;
  while (rest !== 0) {
    const lead = 31 - Math.clz32(rest);
    if (basis[lead] === 0) {
      basis[lead] = rest;
      return true;
    }
    rest ^= basis[lead]!;
  }
  return false;
}

/**
 * Quality parameter t of the two-dimensional projection (0 is best): t = max_k (m − k − r_k), r_k rows of b independent of the first k of
 * a.
 */
function projectionDefect(a: Uint32Array, b: Uint32Array): number {
  const m = search.digits;
  let t = 0;
  const first = new Uint32Array(m);
  for (let k = 0; k <= m; k++) {
    const basis = first.slice();
    let independent = 0;
    while (independent < m - k && insert(basis, b[independent]!)) independent++;
    t = Math.max(t, m - k - independent);
    if (k < m) insert(first, a[k]!);
  }
  return t;
}

const computed: Uint32Array[] = [];
const computedRows: Uint32Array[] = [];

/**
 * Initial values for dimension `index` (0-based, beyond the table): the best of some seeded candidates by its projections on earlier
 * dimensions.
 */
function searchInitial(index: number, degree: number, inner: number): Uint32Array {
  const source = stream(search.seed, index);
  let best: Uint32Array | undefined;
  let bestScore = Number.POSITIVE_INFINITY;
  for (let candidate = 0; candidate < search.candidates; candidate++) {
    const initial = Array.from({ length: degree }, (_, k) => 2 * Math.floor(source.uniform() * 2 ** k) + 1);
    const v = extend(initial, inner);
    const rows = generatorRows(v);
    let score = 0;
    for (let j = Math.max(0, index - search.neighbours); j < index && score < bestScore; j++)
      score += 2 ** projectionDefect(computedRows[j]!, rows);
    if (score < bestScore) {
      bestScore = score;
      best = v;
    }
  }
  return best!;
}

/**
 * Direction numbers of the first `dimensions` coordinates of a Sobol sequence, 32 each. Joe and Kuo's initial values for 22 dimensions;
 * above, odd initial values drawn with a fixed seed, the best of 8 by the t-parameters of their two-dimensional projections. Found once and
 * kept; beyond 22 a search of 8 candidates against all before.
 */
export function directionNumbers(dimensions: number): readonly Uint32Array[] {
  if (computed.length < dimensions) {
    const polynomials = primitivePolynomials(dimensions - 1);
    for (let index = computed.length; index < dimensions; index++) {
      let v: Uint32Array;
      if (index === 0) v = Uint32Array.from({ length: sobolBits }, (_, i) => 2 ** (sobolBits - 1 - i));
      else {
        const { degree, inner } = polynomials[index - 1]!;
        const known = joeKuo[index - 1];
        v = known ? extend(known, inner) : searchInitial(index, degree, inner);
      }
      computed.push(v);
      computedRows.push(generatorRows(v));
    }
  }
  return computed.slice(0, dimensions);
}
