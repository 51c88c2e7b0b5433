import {
  inputError,
  matrix,
  nonNegativeInteger,
  nonNegativeNumber,
  oneOf,
  positiveInteger,
  strictObject,
  type Dataset,
  type DataSplit,
  type Matrix,
  type RandomStream,
} from "@finitewidth/core";
import { stream } from "@finitewidth/random";
import * as v from "valibot";
import { loadDataset } from "./classification.js";
import { encodeLabels } from "./preprocessing.js";

const probability = v.pipe(
  v.number("a number between 0 and 1"),
  v.minValue(0, "a number between 0 and 1"),
  v.maxValue(1, "a number between 0 and 1"),
);
const common = { train: positiveInteger, test: v.optional(nonNegativeInteger, 0), seed: v.optional(nonNegativeInteger, 1) };

const markovSchema = strictObject({
  dataset: v.literal("hidden-markov"),
  ...common,
  tokens: v.optional(v.pipe(positiveInteger, v.minValue(2, "an integer ≥ 2")), 8),
  features: v.optional(v.pipe(positiveInteger, v.minValue(2, "an integer ≥ 2")), 4),
  switching: v.optional(v.tuple([probability, probability], "two probabilities, one per class"), [0.2, 0.8]),
  noise: v.optional(nonNegativeNumber, 0.3),
  positions: v.optional(v.boolean("true or false"), true),
  labels: v.optional(oneOf(["sign", "one-hot"]), "sign"),
});
type MarkovRequest = v.InferOutput<typeof markovSchema>;

/**
 * Sequences of a hidden Markov chain of two states, told apart by how often the state changes: class c switches with probability
 * `switching[c]` at each step. A token is the unit vector of its state (two of `features` directions) plus N(0, noise²/features) in each of
 * them, followed by its position (one-hot) when `positions`. No single token knows the class: neighbours must be compared.
 * A row is (tokens, features) flattened, features fastest. Everything from the seed; the first sequences do not depend on how many follow.
 */
function hiddenMarkov(request: MarkovRequest): DataSplit {
  const part = (count: number, which: number): { readonly inputs: Matrix; readonly targets: Matrix } => {
    const width = request.features + (request.positions ? request.tokens : 0);
    const inputs = new Float64Array(count * request.tokens * width);
    const labels = new Uint8Array(count);
    for (let mu = 0; mu < count; mu++) {
      const random = stream(request.seed, which, mu);
      labels[mu] = random.uniform() < 0.5 ? 0 : 1;
      const size = request.tokens * width;
      writeSequence(inputs.subarray(mu * size, (mu + 1) * size), width, request, request.switching[labels[mu]]!, random);
    }
    return { inputs: matrix(count, request.tokens * width, inputs), targets: encodeLabels(labels, [0, 1], request.labels) };
  };
  return { train: part(request.train, 0), ...(request.test > 0 ? { test: part(request.test, 1) } : {}) };
}

function writeSequence(row: Float64Array, width: number, request: MarkovRequest, switching: number, random: RandomStream): void {
  const { tokens, features, noise, positions } = request;
  let state = random.uniform() < 0.5 ? 0 : 1;
  for (let i = 0; i < tokens; i++) {
    if (i > 0 && random.uniform() < switching) state = 1 - state;
    for (let f = 0; f < features; f++) row[i * width + f] = (f === state ? 1 : 0) + (noise * random.normal()) / Math.sqrt(features);
    if (positions) row[i * width + features + i] = 1;
  }
}

const patchSchema = strictObject({
  dataset: v.literal("digit-patches"),
  ...common,
  classes: v.optional(v.array(nonNegativeInteger, "a list of class numbers")),
  size: v.optional(v.tuple([positiveInteger, positiveInteger], "[height, width]"), [8, 8]),
  patch: v.optional(v.tuple([positiveInteger, positiveInteger], "[height, width]"), [4, 4]),
  labels: v.optional(oneOf(["sign", "one-hot"])),
});
type PatchRequest = v.InferOutput<typeof patchSchema>;

/**
 * Pixels of images (rows of height × width) regrouped patch by patch: tokens row by row of the picture, features row by row of the patch.
 */
export function imagePatches(images: Matrix, [height, width]: readonly [number, number], patch: readonly [number, number]): Matrix {
  const out = new Float64Array(images.data.length);
  let at = 0;
  for (let mu = 0; mu < images.shape[0]; mu++) {
    const from = mu * height * width;
    for (let top = 0; top < height; top += patch[0])
      for (let left = 0; left < width; left += patch[1])
        for (let i = 0; i < patch[0]; i++) for (let j = 0; j < patch[1]; j++) out[at++] = images.data[from + (top + i) * width + left + j]!;
  }
  return matrix(images.shape[0], height * width, out);
}

async function digitPatches(request: PatchRequest, path: string): Promise<DataSplit> {
  const { size, patch } = request;
  for (const axis of [0, 1] as const)
    if (size[axis] % patch[axis] !== 0) throw inputError(`${path}.patch[${axis}]`, `a divisor of ${size[axis]}, the size`, patch[axis]);
  const { train, test, ...names } = await loadDataset({ ...request, dataset: "mnist" }, path);
  const patches = <Part extends { readonly inputs: Matrix }>(part: Part): Part => ({
    ...part,
    inputs: imagePatches(part.inputs, size, patch),
  });
  return { ...names, train: patches(train), ...(test === undefined ? {} : { test: patches(test) }) };
}

/** Data sets whose rows are sequences of tokens, (tokens, features) flattened. */
export const sequenceDatasets: readonly Dataset[] = [
  {
    name: "hidden-markov",
    summary: "sequences of a two-state hidden Markov chain, classes that switch state rarely or often, generated from the seed",
    schema: markovSchema,
    load: async (request) => hiddenMarkov(request as MarkovRequest),
  },
  {
    name: "digit-patches",
    summary: "MNIST digits as sequences of patches",
    schema: patchSchema,
    load: (request, path) => digitPatches(request as PatchRequest, path),
  },
] as readonly Dataset[];
