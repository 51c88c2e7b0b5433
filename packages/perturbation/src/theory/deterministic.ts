import { vertexContraction } from "@finitewidth/activations";
import type { Matrix } from "@finitewidth/core";
import { innerProduct, multiply } from "@finitewidth/linalg";
import { fromPairs, pairWeights, requirePairMemory } from "../kernel-flow/index-pairs.js";
import { forwardBackward, type KernelChain } from "../kernel-flow/kernel-chain.js";
import { chainVertices, outputCovariance, type KnownVertex } from "../kernel-flow/vertex.js";
import { linearPairings } from "../linear/pairings.js";
import { projectFluctuation } from "../posterior/corrections.js";
import { pairFluctuation, pairingFluctuation, type Fluctuation } from "../posterior/fluctuation.js";
import { padGradient, type GaussianPieces } from "../posterior/gaussian-pieces.js";
import { averageSites, type Setting } from "./setting.js";
import { combineMatrices, combineProjections, trainingBlock, type Batch } from "./batch.js";

/** The fluctuation of the output kernel per hidden layer (coefficients of 1/N_k), and the contraction C(Kˡ):B that belongs to it. */
interface Deterministic {
  readonly layers: readonly Fluctuation[];
  contract(l: number, b: Matrix): Matrix;
}

/** One-neuron vertices of the training points, to be reused for every test point. */
export function trainingVertices(chain: KernelChain, tick: () => void): readonly KnownVertex[] {
  return chainVertices(chain, undefined, tick).map((vertex, l) => ({ points: chain.layers[l]!.kernel.shape[0], vertex }));
}

const linearContraction = (kernel: Matrix, b: Matrix): Matrix => {
  const product = multiply(multiply(kernel, b), kernel);
  return { data: product.data.map((value) => 2 * value), shape: kernel.shape };
};

function closedForm(chain: KernelChain, pieces: GaussianPieces): Deterministic {
  const n = chain.output.shape[0];
  return {
    layers: linearPairings(chain).map((pairings) => pairingFluctuation(pairings, n, pieces)),
    contract: (l, b) => linearContraction(chain.layers[l]!.kernel, b),
  };
}

function exact(chain: KernelChain, pieces: GaussianPieces, known: readonly KnownVertex[] | undefined, tick: () => void): Deterministic {
  const n = chain.output.shape[0];
  const L = chain.layers.length;
  requirePairMemory(chain.layers[0]!.kernel.shape[0], 2 * L, 'use "engine": "sampled"');
  const vertices = chainVertices(chain, known && { points: known[0]!.points, vertices: known.map(({ vertex }) => vertex) }, tick);
  const output = outputCovariance(chain, vertices);
  return {
    layers: output.map((sigma) => pairFluctuation(sigma, n, pieces)),
    contract: (l, b) => fromPairs(multiplyPairs(vertices[l]!, b), b.shape[0]),
  };
}

function multiplyPairs(vertex: Matrix, b: Matrix): Float64Array {
  const w = pairWeights(b);
  const m = vertex.shape[0];
  return Float64Array.from({ length: m }, (_, p) => {
    let sum = 0;
    for (let q = 0; q < m; q++) sum += vertex.data[p * m + q]! * w[q]!;
    return sum;
  });
}

/**
 * The whole answer of the closed-form or the exact engine on a chain (training points first), seen through `rows`. `withKernels`: also the
 * shifts of all kernels, which only the fit needs.
 */
export function deterministicBatch(
  setting: Setting,
  chain: KernelChain,
  pieces: GaussianPieces,
  rows: Matrix,
  settings: {
    readonly covariance: boolean;
    readonly withKernels: boolean;
    readonly known?: readonly KnownVertex[];
    readonly tick: () => void;
  },
): Batch {
  const P = pieces.inverse.shape[0];
  const n = chain.output.shape[0];
  const { layers, contract } =
    setting.engine === "closed-form" ? closedForm(chain, pieces) : exact(chain, pieces, settings.known, settings.tick);
  const factors = setting.widths.map((width) => 1 / width);
  const projections = layers.map((layer) => projectFluctuation(layer, rows, pieces, settings.covariance));
  const kernels = settings.withKernels ? forwardBackward(chain, padGradient(pieces, n), contract) : undefined;
  return {
    hidden: kernels?.hidden.map((list) => averageSites(combineMatrices(list, factors), setting.sites)) ?? [],
    preactivation:
      kernels?.preactivation.map((list, l) => averageSites(combineMatrices(list, factors), l < layers.length ? setting.sites : 1)) ?? [],
    projected: {
      x: combineMatrices(
        projections.map((p) => p.x),
        factors,
      ),
      ...combineProjections(projections, factors),
    },
    traces: layers.map(({ x, z }) => {
      const trainZ = trainingBlock(z, P);
      return {
        gradientX: innerProduct(pieces.gradient, trainingBlock(x, P)),
        weightsZ: innerProduct(pieces.weights, multiply(trainZ, pieces.weights)),
        inverseZ: innerProduct(pieces.inverse, trainZ),
      };
    }),
    z: trainingBlock(
      combineMatrices(
        layers.map(({ z }) => z),
        factors,
      ),
      P,
    ),
  };
}

/** C(K):B of one layer for any activation; linear units in closed form. Cost as `vertexContraction`. */
export function contractVertex(chain: KernelChain, l: number, b: Matrix, tick?: () => void): Matrix {
  const { kernel } = chain.layers[l]!;
  return chain.activation.linear ? linearContraction(kernel, b) : vertexContraction(chain.activation, kernel, b, tick);
}
