import { zeros, type Matrix, type RandomLayer } from "@finitewidth/core";
import { multiply, multiplyTransposedLeft, multiplyTransposedRight, transpose } from "@finitewidth/linalg";
import { softmaxRows } from "../softmax.js";
import { addBiases, biasGradient } from "./random-stage.js";
import { addInto, type Stage, type StageSite } from "./stage.js";

/**
 * Self-attention with tied random queries and keys: κ_h = √(scoreVariance/N) z U_hᵀ, Ω_h = softmax of the rows of κ_hκ_hᵀ/keys at every
 * point, out = σ_w/√(H N) Σ_h Ω_h z W_hᵀ + σ_b b. Parameters: weights [unit][head][channel], scores U [head][key][channel], biases.
 */
export function softmaxStage(layer: RandomLayer, units: number, site: StageSite, start: number): Stage & { readonly parameters: number } {
  const { points, channels, sites } = site;
  const { heads, keys, scoreVariance } = layer.scores!;
  const scale = Math.sqrt(layer.weightVariance / (channels * heads));
  const keyScale = Math.sqrt(scoreVariance / channels);
  const bias = Math.sqrt(layer.biasVariance);
  const inner = heads * channels;
  const scores = start + units * inner;
  const biases = scores + heads * keys * channels;
  const law = layer.weights;
  let read: Matrix;
  let attended: Matrix;
  /** κ_h and Ω_h of the last run, by head and point. */
  let kappas: Matrix[];
  let omegas: Matrix[];
  const weightsOf = (theta: Float64Array): Matrix => {
    const own = theta.subarray(start, scores);
    return { data: law ? own.map((value) => law.value(value)) : own, shape: [units, inner] };
  };
  const keysOf = (theta: Float64Array, h: number): Matrix => ({
    data: theta.slice(scores + h * keys * channels, scores + (h + 1) * keys * channels),
    shape: [keys, channels],
  });
  const at = (m: Matrix, mu: number): Matrix => ({
    data: m.data.slice(mu * sites * m.shape[1], (mu + 1) * sites * m.shape[1]),
    shape: [sites, m.shape[1]],
  });
  /** Columns of head h at point mu. */
  const headOf = (m: Matrix, mu: number, h: number): Matrix => {
    const out = zeros(sites, channels);
    for (let a = 0; a < sites; a++)
      out.data.set(m.data.subarray((mu * sites + a) * inner + h * channels, (mu * sites + a) * inner + (h + 1) * channels), a * channels);
    return out;
  };
  return {
    channels: units,
    sites,
    parameters: biases - start + (bias > 0 ? units : 0),
    forward(theta, below) {
      read = below;
      attended = zeros(points * sites, inner);
      kappas = [];
      omegas = [];
      for (let h = 0; h < heads; h++) {
        const kappa = scaled(multiplyTransposedRight(below, keysOf(theta, h)), keyScale);
        kappas.push(kappa);
        for (let mu = 0; mu < points; mu++) {
          const own = at(kappa, mu);
          const omega = scaled(multiplyTransposedRight(own, own), 1 / keys);
          softmaxRows(omega);
          omegas.push(omega);
          const values = multiply(omega, at(below, mu));
          for (let a = 0; a < sites; a++)
            for (let c = 0; c < channels; c++)
              attended.data[(mu * sites + a) * inner + h * channels + c] = scale * values.data[a * channels + c]!;
        }
      }
      const out = multiplyTransposedRight(attended, weightsOf(theta));
      if (bias > 0) addBiases(out, theta.subarray(biases, biases + units), bias);
      return out;
    },
    pullback(theta, cotangent, gradient) {
      const own = multiplyTransposedLeft(cotangent, attended).data;
      if (law) for (let i = 0; i < own.length; i++) own[i]! *= law.derivative(theta[start + i]!);
      gradient.set(own, start);
      if (bias > 0) biasGradient(cotangent, bias, gradient.subarray(biases, biases + units));
      const onAttended = scaled(multiply(cotangent, weightsOf(theta)), scale);
      const onRead = zeros(points * sites, channels);
      for (let h = 0; h < heads; h++) {
        const onKappa = zeros(points * sites, keys);
        for (let mu = 0; mu < points; mu++) {
          const omega = omegas[h * points + mu]!;
          const c = headOf(onAttended, mu, h);
          const z = at(read, mu);
          const onScores = throughSoftmax(omega, multiplyTransposedRight(c, z));
          addInto(onScores.data, transpose(onScores).data);
          onKappa.data.set(scaled(multiply(onScores, at(kappas[h]!, mu)), 1 / keys).data, mu * sites * keys);
          addInto(onRead.data.subarray(mu * sites * channels, (mu + 1) * sites * channels), multiplyTransposedLeft(omega, c).data);
        }
        gradient.set(scaled(multiplyTransposedLeft(onKappa, read), keyScale).data, scores + h * keys * channels);
        addInto(onRead.data, scaled(multiply(onKappa, keysOf(theta, h)), keyScale).data);
      }
      return site.parametersBelow ? onRead : undefined;
    },
  };
}

const scaled = ({ data, shape }: Matrix, factor: number): Matrix => ({ data: data.map((value) => factor * value), shape });

/** Ω ∘ (g − (Ω∘g)1 1ᵀ). */
function throughSoftmax({ data: omega, shape: [rows, columns] }: Matrix, g: Matrix): Matrix {
  const out = zeros(rows, columns);
  for (let i = 0; i < rows; i++) {
    let mean = 0;
    for (let j = i * columns; j < (i + 1) * columns; j++) mean += omega[j]! * g.data[j]!;
    for (let j = i * columns; j < (i + 1) * columns; j++) out.data[j] = omega[j]! * (g.data[j]! - mean);
  }
  return out;
}
