import { FinitewidthError } from "@finitewidth/core";
import { stirlingTail, type Complex } from "../special/complex-log-gamma.js";
import { digamma, logGamma, trigamma } from "../special/gamma.js";
import type { MellinLine, PositiveFactor } from "./factor.js";
import { entropy, logGammaRatio } from "./log-gamma-ratio.js";

/** Terms of the Poisson mixture below e^−44 of the largest are left out. */
const depth = Math.exp(-44);
/** Number of terms beyond which the law is refused; it grows as 20 √z. */
const largestTerms = 200_000;

/** Mellin transform of a noncentral factor with what hidden kernels need of it. */
export interface NoncentralLine extends MellinLine {
  /** log E[x^(c+it)] and log E[x^(c+it)/(N + 2j)], j the number of the component. */
  pair(t: number): { readonly plain: Complex; readonly weighted: Complex };
}

/** The factor of a residual layer. */
export interface NoncentralFactor extends PositiveFactor {
  line(c: number): NoncentralLine;
}

/** log of the probability of j under a Poisson law of mean z, by its deviance: nothing cancels. */
function logPoisson(j: number, z: number): number {
  if (j === 0) return -z;
  const error = j < 20 ? logGamma(j + 1) - (j + 0.5) * Math.log(j) + j - 0.5 * Math.log(2 * Math.PI) : stirlingTail(j, 0)[0];
  return -error - z * entropy((j - z) / z, 0)[0] - 0.5 * Math.log(2 * Math.PI * j);
}

/**
 * x = (α + βg/√N)² + β² χ²_{N−1}/N = (β²/N) χ'²_N(Nα²/β²): what a residual layer x ↦ αx + βVx/√N multiplies the squared norm of a readout
 * vector by. A Poisson mixture: j ~ Poisson(z), z = Nα²/2β², x | j ~ (2β²/N) Gamma(N/2 + j), so with a = N/2
 * E x^s = (α² + β²)^s Σ_j Poisson(j; z) exp[log Γ(a+j+s)/Γ(a+j) − s log(a+j) + s log1p((j − z)/(a + z))], terms by their ratios
 * z (a+j+s)/((j+1)(a+j)) from the largest outwards: O(√z) of them. β ≠ 0.
 * @throws FinitewidthError (code "memory") for more than 200 000 terms. Source: docs/theories/residual.md §2.
 */
export function noncentralFactor(width: number, skip: number, branch: number): NoncentralFactor {
  const a = width / 2;
  const z = a * (skip / branch) ** 2;
  const logMean = Math.log(skip * skip + branch * branch);
  const terms = (c: number): Terms => mixtureTerms(a, z, c);
  return {
    pole: a,
    slopes: (c) => {
      const { first, weights } = terms(c);
      // recurrences of ψ and ψ′ upwards
      let [psi, slope] = [digamma(a + first + c), trigamma(a + first + c)];
      const start = psi;
      let [mass, mean, square, inner] = [0, 0, 0, 0];
      for (let k = 0; k < weights.length; k++) {
        const weight = weights[k]!;
        const shift = psi - start;
        mass += weight;
        mean += weight * shift;
        square += weight * shift * shift;
        inner += weight * slope;
        const x = a + first + k + c;
        psi += 1 / x;
        slope -= 1 / (x * x);
      }
      mean /= mass;
      return { mean: logMean + start + mean - Math.log(a + z), variance: inner / mass + square / mass - mean * mean };
    },
    line: (c) => {
      const kept = terms(c);
      const ratio = logGammaRatio(a + kept.mode);
      const tilt = Math.log1p((kept.mode - z) / (a + z)) + logMean;
      const poisson = z > 0 ? logPoisson(kept.mode, z) : 0;
      const pair = (t: number) => {
        const [re, im] = ratio(c, t);
        const sums = complexSums(kept, a, z, c, t, width);
        const add = ([lr, li]: Complex): Complex => [lr + re + poisson + c * tilt, li + im + t * tilt];
        return { plain: add(complexLog(sums.plain)), weighted: add(complexLog(sums.weighted)) };
      };
      return { pair, at: (t) => pair(t).plain, bound: (t) => modulusBound(kept, a, c, t, ratio) };
    },
  };
}

/** Terms of the mixture at a real exponent, relative to the largest, at j = first, first + 1, … */
interface Terms {
  readonly first: number;
  readonly mode: number;
  readonly weights: Float64Array;
}

function mixtureTerms(a: number, z: number, c: number): Terms {
  // the ratio of neighbours passes 1 where j² + (a + 1 − z)j + a − z(a + c) = 0
  const b = a + 1 - z;
  const mode = Math.max(0, Math.floor((-b + Math.sqrt(Math.max(b * b - 4 * (a - z * (a + c)), 0))) / 2));
  if (z === 0) return { first: 0, mode: 0, weights: Float64Array.of(1) };
  const up: number[] = [1];
  const down: number[] = [];
  const ratio = (j: number): number => (z * (a + j + c)) / ((j + 1) * (a + j));
  const guard = (): void => {
    if (up.length + down.length > largestTerms)
      throw new FinitewidthError(
        `[numerics] the law of a residual layer takes more than ${largestTerms} terms: its skip is too strong for its width (N α²/2β² = ${z.toExponential(1)})`,
        { code: "memory" },
      );
  };
  for (let [j, value] = [mode, 1]; ; j++) {
    value *= ratio(j);
    if (value < depth && j > mode) break;
    up.push(value);
    guard();
  }
  for (let [j, value] = [mode - 1, 1]; j >= 0; j--) {
    value /= ratio(j);
    if (value < depth) break;
    down.push(value);
    guard();
  }
  return { first: mode - down.length, mode, weights: Float64Array.from([...down.reverse(), ...up]) };
}

/** Σ_j term_j/term_mode and the same over N + 2j, at s = c + it. */
function complexSums({ first, mode, weights }: Terms, a: number, z: number, c: number, t: number, width: number) {
  let [sr, si, wr, wi] = [1, 0, 1 / (width + 2 * mode), 0];
  let [re, im] = [1, 0];
  for (let j = mode; j + 1 < first + weights.length; j++) {
    const scale = z / ((j + 1) * (a + j));
    [re, im] = [scale * (re * (a + j + c) - im * t), scale * (im * (a + j + c) + re * t)];
    sr += re;
    si += im;
    wr += re / (width + 2 * (j + 1));
    wi += im / (width + 2 * (j + 1));
  }
  [re, im] = [1, 0];
  for (let j = mode - 1; j >= first; j--) {
    const x = a + j + c;
    const scale = ((j + 1) * (a + j)) / (z * (x * x + t * t));
    [re, im] = [scale * (re * x + im * t), scale * (im * x - re * t)];
    sr += re;
    si += im;
    wr += re / (width + 2 * j);
    wi += im / (width + 2 * j);
  }
  return { plain: [sr, si] as Complex, weighted: [wr, wi] as Complex };
}

const complexLog = ([re, im]: Complex): Complex => [Math.log(Math.hypot(re, im)), Math.atan2(im, re)];

/** log Σ_j w̃_j |Γ(a + j + c + it)|/Γ(a + j + c): no interference between the components. */
function modulusBound(
  { first, mode, weights }: Terms,
  a: number,
  c: number,
  t: number,
  ratio: (re: number, im: number) => Complex,
): number {
  const top = ratio(c, t)[0] - ratio(c, 0)[0];
  let mass = 0;
  let sum = 0;
  let modulus = 1;
  for (let k = mode - first; k < weights.length; k++) {
    mass += weights[k]!;
    sum += weights[k]! * modulus;
    modulus *= Math.hypot(1, t / (a + first + k + c));
  }
  modulus = 1;
  for (let k = mode - first - 1; k >= 0; k--) {
    modulus /= Math.hypot(1, t / (a + first + k + c));
    mass += weights[k]!;
    sum += weights[k]! * modulus;
  }
  return top + Math.log(sum / mass);
}
