import { gaussLegendre, tanhSinh } from "@finitewidth/numerics";

/** A rule on (0, 1) with complements τ = 1 − t. */
interface PathRule {
  readonly nodes: Float64Array;
  readonly complements: Float64Array;
  readonly weights: Float64Array;
}

function legendre(n: number): PathRule {
  const { nodes, weights } = gaussLegendre(n, 0, 1);
  return { nodes, weights, complements: Float64Array.from(nodes, (_, i) => nodes[n - 1 - i]!) };
}

// Gauss–Legendre reaches 1e-15 with n nodes when the smallest eigenvalue of R is at least `least`; singular R: tanh–sinh.
const makeRules = () => ({
  legendre: [
    { least: 0.3, rule: legendre(18) },
    { least: 0.16, rule: legendre(24) },
    { least: 0.08, rule: legendre(32) },
    { least: 0.035, rule: legendre(48) },
  ],
  endpoint: tanhSinh(81, 4),
  fineEndpoint: tanhSinh(161, 4.2),
});
// Made when they are first asked for: milliseconds that whoever asks for no fourth moments does not pay.
let rules: ReturnType<typeof makeRules> | undefined;

/** Pairs ij in the order of all six-vectors here, and the complement kl of each. */
export const complements = [
  [0, 1, 2, 3],
  [0, 2, 1, 3],
  [0, 3, 1, 2],
  [1, 2, 0, 3],
  [1, 3, 0, 2],
  [2, 3, 0, 1],
] as const;
const pairIndex = [
  [-1, 0, 1, 2],
  [0, -1, 3, 4],
  [1, 3, -1, 5],
  [2, 4, 5, -1],
] as const;

/** Index of the pair (i, j) in six-vectors. */
export function pairOf(i: number, j: number): number {
  return pairIndex[i]![j]!;
}

/**
 * Correlations of a 4 × 4 covariance and what the straight path R(t) = (1 − t)·1 + tR from independence needs of them. Six-vectors, order
 * 01 02 03 12 13 23.
 */
export interface CorrelationPath {
  /** ρ_ij, those within 1e-14 of ±1 snapped. */
  readonly correlation: Float64Array;
  /** 1 − ρ_ij². */
  readonly complement: Float64Array;
  /** Coefficients of the 2 × 2 minor (1 − r_ij²) cov(k, l | i, j) = t(constant + linear τ + square τ²). */
  readonly constant: Float64Array;
  readonly linear: Float64Array;
  readonly square: Float64Array;
  /** Σ (1 − ρ_ij²), Σ of the 3 × 3 determinants, det R: coefficients of det R(t) in τ. */
  readonly pairSum: number;
  readonly tripleSum: number;
  readonly determinant: number;
  readonly rule: PathRule;
}

/**
 * det R_3 from two correlations with a common input and the third: zero within its rounding noise, so that singular covariances stay
 * exactly singular.
 */
function tripleDeterminant(x: number, y: number, z: number, restX: number, restY: number): number {
  const product = restX * restY;
  const determinant = product - (z - x * y) ** 2;
  return determinant > 1e-15 * Math.sqrt(product) ? determinant : 0;
}

/**
 * det R by symmetric elimination with the largest pivot first: every pivot keeps an absolute error of 1e-16, so that det R keeps its digits
 * when all inputs are close.
 */
function correlationDeterminant(correlation: Float64Array): number {
  const m = new Float64Array(16);
  for (let i = 0; i < 4; i++) for (let j = 0; j < 4; j++) m[4 * i + j] = i === j ? 1 : correlation[pairOf(i, j)]!;
  let determinant = 1;
  let eliminated = 0;
  for (let round = 0; round < 4; round++) {
    let p = -1;
    for (let i = 0; i < 4; i++) if ((eliminated & (1 << i)) === 0 && (p < 0 || m[5 * i]! > m[5 * p]!)) p = i;
    const pivot = m[5 * p]!;
    if (!(pivot > 1e-15)) return 0;
    determinant *= pivot;
    eliminated |= 1 << p;
    for (let i = 0; i < 4; i++) {
      if ((eliminated & (1 << i)) !== 0) continue;
      const factor = m[4 * i + p]! / pivot;
      for (let j = 0; j < 4; j++) if ((eliminated & (1 << j)) === 0) m[4 * i + j]! -= factor * m[4 * p + j]!;
    }
  }
  return determinant;
}

/**
 * Geometry of the path for the covariance C + `added`·1 (row-major, 16 numbers, positive variances). All determinants are expanded in τ
 * with coefficients ≥ 0, so nothing cancels near t = 1. Source: docs/theories/perturbative.md, "Four-point functions".
 */
export function correlationPath(covariance: Float64Array, added: number): CorrelationPath {
  const correlation = new Float64Array(6);
  const complement = new Float64Array(6);
  let pairSum = 0;
  let nearlyCoincident = false;
  let least = 1;
  for (let p = 0; p < 6; p++) {
    const [i, j] = complements[p]!;
    const s = Math.sqrt((covariance[5 * i]! + added) * (covariance[5 * j]! + added));
    const c = covariance[4 * i + j]!;
    let rho = c / s;
    let rest = ((s - c) * (s + c)) / (s * s);
    if (!(rest > 2e-14)) {
      rho = Math.sign(rho);
      rest = 0;
    } else if (rest < 1e-6) nearlyCoincident = true;
    correlation[p] = rho;
    complement[p] = rest;
    pairSum += rest;
  }
  if (added > 0) for (let i = 0; i < 4; i++) least = Math.min(least, added / (covariance[5 * i]! + added));
  const [a, b, c, d, e, f] = correlation as unknown as [number, number, number, number, number, number];
  const tripleSum =
    tripleDeterminant(a, b, d, complement[0]!, complement[1]!) +
    tripleDeterminant(a, c, e, complement[0]!, complement[2]!) +
    tripleDeterminant(b, c, f, complement[1]!, complement[2]!) +
    tripleDeterminant(d, e, f, complement[3]!, complement[4]!);
  const determinant = tripleSum > 0 ? correlationDeterminant(correlation) : 0;
  const constant = new Float64Array(6);
  const linear = new Float64Array(6);
  const square = new Float64Array(6);
  for (let p = 0; p < 6; p++) {
    const [i, j, k, l] = complements[p]!;
    const [ik, il, jk, jl] = [
      correlation[pairOf(i, k)]!,
      correlation[pairOf(i, l)]!,
      correlation[pairOf(j, k)]!,
      correlation[pairOf(j, l)]!,
    ];
    const rho = correlation[p]!;
    const kl = correlation[5 - p]!;
    const s2 = ik * il + jk * jl;
    const s3 = kl * rho * rho - rho * (ik * jl + jk * il);
    constant[p] = kl - s2 - s3;
    linear[p] = s2 + 2 * s3;
    square[p] = -s3;
  }
  // λ_min ≥ det·(3/(4 − λ_min))³; the noise of erf gives a second bound
  least = Math.max(added > 0 ? least : 0, determinant * (27 / 64));
  const { legendre: smooth, endpoint, fineEndpoint } = (rules ??= makeRules());
  const rule = smooth.find((entry) => least >= entry.least)?.rule ?? (nearlyCoincident ? fineEndpoint : endpoint);
  return { correlation, complement, constant, linear, square, pairSum, tripleSum, determinant, rule };
}

/** det R(t), t = 1 − τ. */
export function pathDeterminant(path: CorrelationPath, t: number, tau: number): number {
  const tau2 = tau * tau;
  const t2 = t * t;
  return tau2 * tau2 + 4 * tau2 * tau * t + tau2 * t2 * path.pairSum + tau * t2 * t * path.tripleSum + t2 * t2 * path.determinant;
}
