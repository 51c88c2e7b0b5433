import { shapeError, type Matrix, type RandomStream } from "@finitewidth/core";
import { addDiagonal, affine, identity, lu, multiply, multiplyTransposedLeft } from "@finitewidth/linalg";
import { chainLayout, digamma, logDensityLogGammaProduct, sampleChainFactors, trigamma } from "@finitewidth/numerics";
import type { LinearChain } from "./moments.js";

/** An expectation; `standardError` is 0 for closed forms and quadrature. */
export interface CharacteristicValue {
  readonly value: number;
  readonly standardError: number;
}

/**
 * E exp(i Σ_aμ T_μa f_a(μ)) of the outputs at P points with kernel K (P × P): one output by quadrature of E exp(−q tᵀKt/2); one hidden
 * layer det(I + s TᵀKT/N)^{−N/2}; deeper nets average det(I + F₂ᵀ(TᵀKT)F₂ s_1/N_1)^{−N_1/2} over `draws` draws of F₂, with its standard
 * error. `frequencies`: T, P × D. Real, because the law is symmetric. O(P² D), and O(L D³) a draw. Source: docs/theories/exact.md, "Prior".
 * @throws FinitewidthError (code "shape") when T has not P rows.
 */
export function characteristicFunction(
  chain: LinearChain,
  kernel: Matrix,
  frequencies: Matrix,
  sampling: { readonly draws: number; readonly stream: RandomStream },
): CharacteristicValue {
  const { widths } = chain;
  const variances = chain.variances ?? widths.map(() => 1);
  if (frequencies.shape[0] !== kernel.shape[0])
    throw shapeError("frequencies", `${kernel.shape[0]} rows, one per point`, `${frequencies.shape[0]}`);
  const form = multiplyTransposedLeft(frequencies, multiply(kernel, frequencies));
  const outputs = form.shape[0];
  if (outputs === 1) return { value: scalarTransform(widths, variances, form.data[0]! / 2), standardError: 0 };
  const inner = (f: Matrix | undefined): number => {
    const reduced = f === undefined ? form : multiplyTransposedLeft(f, multiply(form, f));
    return Math.exp(-0.5 * widths[0]! * lu(addDiagonal(affine(variances[0]! / widths[0]!, reduced), 1)).logAbsoluteDeterminant);
  };
  if (widths.length === 1) return { value: inner(undefined), standardError: 0 };
  const one = identity(1);
  const upper = widths
    .slice(1)
    .map((width, l, all) => ({
      width,
      sites: 1,
      variance: variances[l + 1]!,
      taps: l + 1 < all.length ? [one] : [],
      biasVariance: 0,
      biasWeights: Float64Array.of(1),
    }));
  const layout = chainLayout({ layers: upper, readoutBiasVariance: 0 }, outputs);
  let [sum, squares] = [0, 0];
  for (let k = 0; k < sampling.draws; k++) {
    const value = inner(sampleChainFactors(layout, sampling.stream)[0]!.f);
    sum += value;
    squares += value * value;
  }
  const mean = sum / sampling.draws;
  return { value: mean, standardError: Math.sqrt(Math.max(squares / sampling.draws - mean * mean, 0) / (sampling.draws - 1)) };
}

/** E e^{−λq}, λ ≥ 0, by the trapezoidal rule over u = log q. */
function scalarTransform(widths: readonly number[], variances: readonly number[], lambda: number): number {
  const shapes = widths.map((n) => n / 2);
  const rates = widths.map((n, l) => n / (2 * variances[l]!));
  const mean = shapes.reduce((sum, a, l) => sum + digamma(a) - Math.log(rates[l]!), 0);
  const deviation = Math.sqrt(shapes.reduce((sum, a) => sum + trigamma(a), 0));
  const least = Math.min(...shapes);
  const step = Math.min(deviation, 1) / 8;
  let total = 0;
  for (const side of [1, -1]) {
    for (let k = side === 1 ? 0 : 1; ; k++) {
      const u = mean + side * k * step;
      const density = Math.exp(logDensityLogGammaProduct(u, shapes, rates));
      total += step * density * Math.exp(-lambda * Math.exp(u));
      // tails of u fall like e^{least·u} to the left and faster to the right
      if (density < 1e-17 * Math.min(1, least) && k * step > 3 * deviation) break;
    }
  }
  return total;
}
