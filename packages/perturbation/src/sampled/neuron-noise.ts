import { zeros, type Matrix } from "@finitewidth/core";
import { multiply } from "@finitewidth/linalg";

/**
 * Noise of single neurons of a layer pushed to the output, a neuron φ a draw: M_ij = slope_ij φ_i φ_j + ½(own_ij φ_i² + other_ij φ_j²) −
 * mean_ij for all points i and training points j. Never formed: it is only multiplied with vectors.
 */
export interface NeuronNoise {
  /** Draws × n. */
  readonly phi: Matrix;
  /** N × P each; the last two are left out where they vanish. */
  readonly mean: Matrix;
  readonly slope: Matrix;
  readonly own?: Matrix;
  readonly other?: Matrix;
}

/**
 * M_s v for the columns v of `vectors` (P × draws·each), those of draw s from s·each on; n × draws·each. O(draws·each·n·P), in two or four
 * products of matrices.
 */
export function applyNeuronNoise({ phi, mean, slope, own, other }: NeuronNoise, vectors: Matrix, each: number): Matrix {
  const [points, columns] = vectors.shape;
  const n = phi.shape[1];
  const value = (i: number, column: number): number => phi.data[Math.floor(column / each) * n + i]!;
  const weighted = (weight: (phi: number) => number): Matrix => {
    const out = zeros(points, columns);
    for (let i = 0, at = 0; i < points; i++) for (let c = 0; c < columns; c++, at++) out.data[at] = weight(value(i, c)) * vectors.data[at]!;
    return out;
  };
  const [sloped, base] = [
    multiply(
      slope,
      weighted((x) => x),
    ),
    multiply(mean, vectors),
  ];
  const ownPart = own && multiply(own, vectors).data;
  const otherPart =
    other &&
    multiply(
      other,
      weighted((x) => 0.5 * x * x),
    ).data;
  const out = zeros(n, columns);
  for (let i = 0, at = 0; i < n; i++)
    for (let c = 0; c < columns; c++, at++) {
      const x = value(i, c);
      out.data[at] = x * sloped.data[at]! - base.data[at]! + (ownPart ? 0.5 * x * x * ownPart[at]! : 0) + (otherPart ? otherPart[at]! : 0);
    }
  return out;
}
