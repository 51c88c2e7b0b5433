import {
  matrix,
  nonNegativeInteger,
  nonNegativeNumber,
  oneOf,
  positiveInteger,
  strictObject,
  type Dataset,
  type DataSplit,
  type Matrix,
} from "@finitewidth/core";
import { stream } from "@finitewidth/random";
import * as v from "valibot";

const common = {
  train: positiveInteger,
  test: v.optional(nonNegativeInteger, 0),
  features: v.optional(positiveInteger, 20),
  noise: v.optional(nonNegativeNumber, 0),
  labels: v.optional(oneOf(["value", "sign"]), "value"),
  seed: v.optional(nonNegativeInteger, 1),
};
const linearSchema = strictObject({ dataset: v.literal("linear-teacher"), ...common });
const hiddenSchema = strictObject({
  dataset: v.literal("hidden-layer-teacher"),
  ...common,
  hidden: v.optional(positiveInteger, 3),
  activation: v.optional(oneOf(["tanh", "relu"]), "tanh"),
});
type TeacherRequest = v.InferOutput<typeof linearSchema> | v.InferOutput<typeof hiddenSchema>;

const activations = { tanh: Math.tanh, relu: (h: number): number => Math.max(0, h) };

/**
 * Gaussian inputs, x ~ N(0, 1) in every feature, and targets of a random teacher: y = w·x/√N0, or y = Σ_k a_k φ(w_k·x/√N0)/√H with H hidden
 * units, all weights N(0, 1); plus N(0, noise²) on the training targets; `"sign"`: its sign. Everything from the seed: the same teacher for
 * any number of points, and the first points do not depend on how many follow.
 */
function teach(request: TeacherRequest): DataSplit {
  const { features, noise, seed } = request;
  const hidden = "hidden" in request ? request.hidden : 1;
  const random = stream(seed, 2);
  const weights = random.normals(new Float64Array(hidden * features));
  const readout = random.normals(new Float64Array(hidden));
  const answer = (x: Float64Array): number => {
    let sum = 0;
    for (let k = 0; k < hidden; k++) {
      let h = 0;
      for (let i = 0; i < features; i++) h += weights[k * features + i]! * x[i]!;
      h /= Math.sqrt(features);
      sum += "hidden" in request ? (readout[k]! * activations[request.activation](h)) / Math.sqrt(hidden) : h;
    }
    return sum;
  };
  const part = (count: number, which: number, spread: number): { readonly inputs: Matrix; readonly targets: Matrix } => {
    const inputs = new Float64Array(count * features);
    const targets = new Float64Array(count);
    for (let mu = 0; mu < count; mu++) {
      const own = stream(seed, which, mu);
      const x = own.normals(inputs.subarray(mu * features, (mu + 1) * features));
      const y = answer(x) + spread * own.normal();
      targets[mu] = request.labels === "sign" ? (y < 0 ? -1 : 1) : y;
    }
    return { inputs: matrix(count, features, inputs), targets: matrix(count, 1, targets) };
  };
  return { train: part(request.train, 0, noise), ...(request.test > 0 ? { test: part(request.test, 1, 0) } : {}) };
}

/** Data sets of random teachers. */
export const teacherDatasets: readonly Dataset[] = [
  {
    name: "linear-teacher",
    summary: "Gaussian inputs with the targets of a random linear teacher, generated from the seed",
    schema: linearSchema,
    load: async (request) => teach(request as TeacherRequest),
  },
  {
    name: "hidden-layer-teacher",
    summary: "the same with a teacher of one hidden layer",
    schema: hiddenSchema,
    load: async (request) => teach(request as TeacherRequest),
  },
] as readonly Dataset[];
