import type { Complex } from "../special/complex-log-gamma.js";

/** Law of a positive random variable x by its Mellin transform E x^z: one factor of a product of independent variables. */
export interface PositiveFactor {
  /** E x^z is finite for Re z > −pole. */
  readonly pole: number;
  /** Mean and variance of log x under the law tilted by x^c: first two derivatives of log E x^c. */
  slopes(c: number): { readonly mean: number; readonly variance: number };
  /** The transform on the vertical line Re z = c > −pole. */
  line(c: number): MellinLine;
}

/** log E x^(c + it) for one c, up to multiples of 2πi. */
export interface MellinLine {
  at(t: number): Complex;
  /** Falls monotonically in t ≥ 0 and bounds log |E x^(c + it)| − log E x^c from above. */
  bound(t: number): number;
}

/** exp of a complex logarithm. */
export const complexExp = ([re, im]: Complex): Complex => {
  const modulus = Math.exp(re);
  return [modulus * Math.cos(im), modulus * Math.sin(im)];
};
