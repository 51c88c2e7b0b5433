import { zeros, type Matrix } from "@finitewidth/core";
import { lift, type Composition } from "@finitewidth/kernels";
import { multiply, multiplyTransposedRight, transpose } from "@finitewidth/linalg";
import { fromPairs, pairWeights, toPairs } from "../kernel-flow/index-pairs.js";
import { meanShifts } from "./mean-shift.js";
import { noiseCovariance } from "./noise.js";
import { fieldResponse, linearResponse, totalResponse } from "./response.js";
import { variablesOf, type LiveReading, type Variables } from "./variables.js";

/** First order in the inverse widths of a composition at some inputs; widths are in. */
export interface Expansion {
  readonly variables: Variables;
  /** K^{L+1}: n × n. */
  readonly kernel: Matrix;
  /** Cov of the entries of K̂^{L+1} over index pairs. */
  readonly covariance: Matrix;
  /** E R − R of what a layer reads and E K̂ − K of its kernel, by the index of the layer; zero for layers that read the inputs. */
  readingShift(layer: number): Matrix;
  kernelShift(layer: number): Matrix;
  /** ½ Σ_cd Cov(·, K̂^{L+1}_cd) A_cd for what a layer reads and for its kernel: shifts by data with the output gradient A (n × n). */
  readingResponse(layer: number, gradient: Matrix): Matrix;
  kernelResponse(layer: number, gradient: Matrix): Matrix;
}

/**
 * Kernels, mean shifts and covariances of all random layers of any composition to first order: δv = η + 𝒥δv between the second moments that
 * layers read and the means and variances of normalisations, Σ = (1 − 𝒥)⁻¹V(1 − 𝒥)⁻ᵀ; readings of the same units are correlated.
 * O(variables³) and the four-point functions of all pairs of readings of one stream. @throws FinitewidthError (code "refused") for two
 * activations without a joint vertex on one stream. Source: docs/theories/perturbative.md §11.
 */
export function expandComposition(
  composition: Composition,
  inputs: Matrix,
  options: { readonly shifts: boolean; tick(): void },
): Expansion {
  const variables = variablesOf(composition, inputs);
  const { live, readings, full } = variables;
  const output = composition.layers.length - 1;
  const kernel = full.layers[output]!;
  const responses = live.map((one) => fieldResponse(variables, one));
  const total = totalResponse(
    variables,
    live.map((one, i) => linearResponse(one, responses[i]!)),
  );
  const noise = noiseCovariance(variables, options.tick);
  const sigma = multiplyTransposedRight(multiply(total, noise), total);
  const shift = options.shifts ? meanShifts(variables, responses, sigma, total, options.tick) : new Float64Array(variables.size);
  const last = readings.get(output);
  const n = inputs.shape[0];
  /** Σ between all variables and the entries of K̂^{L+1} on pairs. */
  const withOutput = last === undefined ? zeros(variables.size, (n * (n + 1)) / 2) : liftRows(columnsOf(sigma, last), last, n);
  const covariance =
    last === undefined ? zeros((n * (n + 1)) / 2, (n * (n + 1)) / 2) : liftRows(transpose(rowsOf(withOutput, last)), last, n);
  const readingOf = (layer: number, values: (reading: LiveReading) => Float64Array): Matrix => {
    const reading = readings.get(layer);
    const size = variables.points * composition.layers[layer]!.reading.sites;
    return reading === undefined ? zeros(size, size) : fromPairs(values(reading), reading.n);
  };
  const kernelOf = (layer: number, change: Matrix): Matrix =>
    readings.has(layer) ? lift(composition.layers[layer]!, change) : zeros(...full.layers[layer]!.shape);
  const readingShift = (layer: number): Matrix => readingOf(layer, ({ from, size }) => shift.subarray(from, from + size));
  const readingResponse = (layer: number, gradient: Matrix): Matrix => {
    const weights = pairWeights(gradient);
    return readingOf(layer, ({ from, size }) => {
      const width = withOutput.shape[1];
      return Float64Array.from({ length: size }, (_, p) => {
        let sum = 0;
        for (let q = 0; q < width; q++) sum += withOutput.data[(from + p) * width + q]! * weights[q]!;
        return 0.5 * sum;
      });
    });
  };
  return {
    variables,
    kernel,
    covariance,
    readingShift,
    kernelShift: (layer) => kernelOf(layer, readingShift(layer)),
    readingResponse,
    kernelResponse: (layer, gradient) => kernelOf(layer, readingResponse(layer, gradient)),
  };
}

const columnsOf = ({ data, shape: [rows, columns] }: Matrix, { from, size }: LiveReading): Matrix => ({
  data: Float64Array.from({ length: rows * size }, (_, i) => data[Math.floor(i / size) * columns + from + (i % size)]!),
  shape: [rows, size],
});
const rowsOf = ({ data, shape: [, columns] }: Matrix, { from, size }: LiveReading): Matrix => ({
  data: data.subarray(from * columns, (from + size) * columns),
  shape: [size, columns],
});

/** Every row, a symmetric matrix over what the readout reads on pairs, lifted to the outputs. */
function liftRows(m: Matrix, { layer, n, size }: LiveReading, points: number): Matrix {
  const width = (points * (points + 1)) / 2;
  const out = zeros(m.shape[0], width);
  for (let i = 0; i < m.shape[0]; i++)
    toPairs(lift(layer, fromPairs(m.data.subarray(i * size, (i + 1) * size), n)), out.data.subarray(i * width, (i + 1) * width));
  return out;
}
