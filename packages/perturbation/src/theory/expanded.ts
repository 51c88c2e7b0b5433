import type { Matrix } from "@finitewidth/core";
import type { Composition } from "@finitewidth/kernels";
import { innerProduct, multiply } from "@finitewidth/linalg";
import { expandComposition, type Expansion } from "../composition/expansion.js";
import { projectFluctuation } from "../posterior/corrections.js";
import { pairFluctuation } from "../posterior/fluctuation.js";
import { padGradient, type GaussianPieces } from "../posterior/gaussian-pieces.js";
import { averageSites } from "./setting.js";
import { trainingBlock, type Batch } from "./batch.js";

/** Random layers of a composition that read units: those whose kernels are hidden kernels. */
const readers = ({ variables }: Expansion): number[] => [...variables.readings.keys()].sort((a, b) => a - b);

/** The whole first-order answer of a composition at some points (training points first), seen through `rows`; widths are in. */
export function expandedBatch(
  graph: Composition,
  inputs: Matrix,
  pieces: GaussianPieces,
  rows: (kernel: Matrix) => Matrix,
  settings: { readonly covariance: boolean; readonly withKernels: boolean; tick(): void },
): Batch & { readonly kernel: Matrix } {
  const P = pieces.inverse.shape[0];
  const n = inputs.shape[0];
  const expansion = expandComposition(graph, inputs, { shifts: true, tick: settings.tick });
  const output = graph.layers.length - 1;
  const fluctuation = pairFluctuation(expansion.covariance, n, pieces);
  const gradient = padGradient(pieces, n);
  const z = trainingBlock(fluctuation.z, P);
  const average = (layer: number, m: Matrix): Matrix => averageSites(m, graph.layers[layer]!.reading.sites);
  const ofUnits = (layer: number, m: Matrix): Matrix => averageSites(m, graph.layers[layer]!.sites);
  const layers = settings.withKernels ? readers(expansion) : [];
  return {
    kernel: expansion.kernel,
    hidden: layers.map((layer) => average(layer, expansion.readingResponse(layer, gradient))),
    preactivation: settings.withKernels ? graph.layers.map((_, layer) => ofUnits(layer, expansion.kernelResponse(layer, gradient))) : [],
    projected: projectFluctuation(fluctuation, rows(expansion.kernel), pieces, settings.covariance),
    traces: [
      {
        gradientX: innerProduct(pieces.gradient, trainingBlock(fluctuation.x, P)),
        weightsZ: innerProduct(pieces.weights, multiply(z, pieces.weights)),
        inverseZ: innerProduct(pieces.inverse, z),
      },
    ],
    z,
    priorShift: {
      output: expansion.kernelShift(output),
      hidden: layers.map((layer) => average(layer, expansion.readingShift(layer))),
      preactivation: settings.withKernels ? graph.layers.map((_, layer) => ofUnits(layer, expansion.kernelShift(layer))) : [],
    },
  };
}
