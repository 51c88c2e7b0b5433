import {
  nonNegativeNumber,
  oneOf,
  perLayer,
  perLayerExpectation,
  positiveInteger,
  strictObject,
  weightVarianceSchema,
  zeros,
  type FiniteNetwork,
  type Matrix,
  type NetworkBase,
  type Plugin,
  type PriorModel,
} from "@finitewidth/core";
import { gram, multiplyTransposedRight } from "@finitewidth/linalg";
import * as v from "valibot";

/**
 * h¹ = W¹x/√N0, h^{l+1} = skip·hˡ + W^{l+1}hˡ/√N, f = W h^L/√N: a deep linear network with identity skips, L hidden layers of one width N.
 */
export interface ResidualNetwork extends NetworkBase {
  readonly type: "linear-residual";
  readonly width: number;
  readonly depth: number;
  readonly skip: number;
}

const schema = v.pipe(
  strictObject({
    type: v.literal("linear-residual", '"linear-residual"'),
    width: positiveInteger,
    depth: positiveInteger,
    skip: v.optional(nonNegativeNumber, 1),
    activation: v.optional(oneOf(["identity"]), "identity"),
    weightVariance: v.optional(weightVarianceSchema, 1),
  }),
  v.rawTransform(({ dataset, addIssue, NEVER }): ResidualNetwork => {
    const { weightVariance, ...rest } = dataset.value;
    const variances = perLayer(weightVariance, rest.depth + 1);
    if (variances === undefined) {
      addIssue({
        message: perLayerExpectation(rest.depth + 1),
        path: [{ type: "object", origin: "value", input: dataset.value, key: "weightVariance", value: weightVariance }],
      });
      return NEVER;
    }
    return { ...rest, weightVariance: variances, biasVariance: variances.map(() => 0) };
  }),
);

/** The prior model: K^{l+1} = (skip² + σ_w²) Kˡ between hidden layers, σ_w² K^L at the readout. Kernels cost O(P² N0). */
export const priorModel: PriorModel<ResidualNetwork> = {
  name: "linear-residual",
  summary: "Deep linear network with identity skips.",
  schema,
  inputSize: () => undefined,
  infiniteWidth(network, _activation, inputs, others) {
    const factors = kernelFactors(network);
    const overlap = others ? multiplyTransposedRight(inputs, others) : gram(inputs);
    const scaled = (factor: number): Matrix => ({
      data: overlap.data.map((value) => (factor * value) / inputs.shape[1]),
      shape: overlap.shape,
    });
    const preactivation = factors.map(scaled);
    return {
      preactivation,
      hidden: preactivation.slice(0, -1),
      ...(others
        ? {
            othersDiagonal: Float64Array.from(
              { length: others.shape[0] },
              (_, i) => (factors.at(-1)! * squaredNorm(others, i)) / others.shape[1],
            ),
          }
        : {}),
    };
  },
  realise,
};

function kernelFactors({ depth, skip, weightVariance }: ResidualNetwork): number[] {
  const factors = [weightVariance[0]!];
  for (let l = 1; l < depth; l++) factors.push((skip * skip + weightVariance[l]!) * factors.at(-1)!);
  factors.push(weightVariance[depth]! * factors.at(-1)!);
  return factors;
}

function squaredNorm(m: Matrix, row: number): number {
  const columns = m.shape[1];
  return m.data.subarray(row * columns, (row + 1) * columns).reduce((sum, value) => sum + value * value, 0);
}

/** θ holds W¹ (N × N0), W² … W^L (N × N each) and the readout (D × N), standard normal; the scales σ/√fan-in are applied here. */
function realise(network: ResidualNetwork, _activation: unknown, inputs: Matrix, outputs: number): FiniteNetwork {
  const { width: N, depth: L, skip, weightVariance } = network;
  const [P, N0] = inputs.shape;
  const offsets = [0];
  for (let l = 0; l < L; l++) offsets.push(offsets.at(-1)! + N * (l === 0 ? N0 : N));
  const readout = offsets[L]!;
  const scale = weightVariance.map((variance, l) => Math.sqrt(variance / (l === 0 ? N0 : N)));
  const hidden = Array.from({ length: L }, () => zeros(P, N));
  const state = {
    outputs: zeros(P, outputs),
    features: zeros(P, N),
    hiddenKernels: () => hidden.map((h) => ({ ...gram(h), data: gram(h).data.map((value) => value / N) })),
  };

  const backward = (theta: Float64Array, cotangent: Matrix, gradient: Float64Array): void => {
    let current = cotangent.data.slice();
    for (let l = L - 1; l >= 0; l--) {
      const below = l === 0 ? inputs : hidden[l - 1]!;
      const columns = below.shape[1];
      const next = new Float64Array(P * columns);
      for (let p = 0; p < P; p++) {
        for (let i = 0; i < N; i++) {
          const g = current[p * N + i]! * scale[l]!;
          for (let j = 0; j < columns; j++) {
            gradient[offsets[l]! + i * columns + j]! += g * below.data[p * columns + j]!;
            next[p * columns + j]! += g * theta[offsets[l]! + i * columns + j]!;
          }
        }
      }
      if (l > 0) for (let k = 0; k < next.length; k++) next[k]! += skip * current[k]!;
      current = next;
    }
  };

  return {
    parameters: readout + outputs * N,
    readoutParameters: outputs * N,
    offsets,
    forward(theta) {
      for (let l = 0; l < L; l++) {
        const below = l === 0 ? inputs : hidden[l - 1]!;
        const columns = below.shape[1];
        for (let p = 0; p < P; p++) {
          for (let i = 0; i < N; i++) {
            let sum = 0;
            for (let j = 0; j < columns; j++) sum += theta[offsets[l]! + i * columns + j]! * below.data[p * columns + j]!;
            hidden[l]!.data[p * N + i] = scale[l]! * sum + (l === 0 ? 0 : skip * below.data[p * N + i]!);
          }
        }
      }
      const top = hidden[L - 1]!;
      for (let k = 0; k < top.data.length; k++) state.features.data[k] = scale[L]! * top.data[k]!;
      for (let p = 0; p < P; p++) {
        for (let d = 0; d < outputs; d++) {
          let sum = 0;
          for (let j = 0; j < N; j++) sum += theta[readout + d * N + j]! * state.features.data[p * N + j]!;
          state.outputs.data[p * outputs + d] = sum;
        }
      }
      return state;
    },
    pullback(theta, { features }, cotangent, gradient) {
      gradient.fill(0);
      const onHidden = zeros(P, N);
      for (let p = 0; p < P; p++) {
        for (let d = 0; d < outputs; d++) {
          const g = cotangent.data[p * outputs + d]!;
          for (let j = 0; j < N; j++) {
            gradient[readout + d * N + j]! += g * features.data[p * N + j]!;
            onHidden.data[p * N + j]! += g * scale[L]! * theta[readout + d * N + j]!;
          }
        }
      }
      backward(theta, onHidden, gradient);
    },
    pullbackFeatures(theta, _state, cotangent, gradient) {
      gradient.fill(0);
      backward(theta, { data: cotangent.data.map((value) => scale[L]! * value), shape: cotangent.shape }, gradient);
    },
  };
}

export const plugin: Plugin = {
  name: "finitewidth-plugin-linear-residual",
  module: import.meta.url,
  priorModels: [priorModel as PriorModel],
};
