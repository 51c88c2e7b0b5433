import {
  createRegistry,
  matrixFromRows,
  resolveNetworkInput,
  type Matrix,
  type Network,
  type Problem,
  type Sampling,
  type Scenario,
  type ScenarioDescription,
} from "@finitewidth/core";
import { stream } from "@finitewidth/random";
import { standardPlugins } from "./standard-plugins.js";

/** A network with data, at one or more common multiples of its widths. */
export interface ScenarioFamily {
  readonly name: string;
  /** Theories to check on it. */
  readonly theories: readonly { readonly name: string; readonly options?: Readonly<Record<string, unknown>> }[];
  /** Multiples of the widths; claims with an error order are judged by their slope over them, exact ones at the first. */
  readonly factors: readonly number[];
  readonly sampling: Sampling;
  readonly suite: "quick" | "full";
  /** Joint covariances are claimed and sampled too. */
  readonly covariance?: boolean;
  /** @throws FinitewidthError (code "input") for a network that the registry does not know. */
  build(factor: number): Scenario;
}

/** Family with Gaussian inputs and a smooth target plus noise, all from the seed. */
export function family(fields: ScenarioDescription): ScenarioFamily {
  const { name, theories, points, features, outputs = 1, tests = 2, temperature, sampling, seed } = fields;
  return {
    name,
    theories,
    factors: fields.factors ?? [1],
    sampling,
    suite: fields.suite ?? "quick",
    covariance: fields.covariance ?? false,
    build(factor) {
      const random = stream(seed, 0);
      const drawn = random.normals(new Float64Array(points * features));
      const drawnTests = random.normals(new Float64Array(tests * features));
      const inputs = fields.inputs ? matrixFromRows(fields.inputs) : { data: drawn, shape: [points, features] as const };
      const testInputs = fields.testInputs ? matrixFromRows(fields.testInputs) : { data: drawnTests, shape: [tests, features] as const };
      const scale = fields.targetScale?.(factor) ?? 1;
      const targetsAt = (at: Matrix, noise: () => number): Matrix => ({
        data: Float64Array.from({ length: at.shape[0] * outputs }, (_, k) => {
          const d = k % outputs;
          const x = at.data[Math.floor(k / outputs) * features + (d % features)]!;
          return scale * (0.9 * x + 0.5 * Math.sin(2 * x + d) + noise());
        }),
        shape: [at.shape[0], outputs],
      });
      const targets = targetsAt(inputs, () => 0.4 * random.normal());
      if (fields.likelihood) toLabels(targets.data, outputs);
      const problem: Problem = {
        network: fields.network(factor) as Network,
        inputs,
        targets,
        temperature,
        ...(fields.likelihood ? { likelihood: fields.likelihood } : {}),
        scaling: fields.scaling ?? "standard",
      };
      const testTargets = fields.generalization ? { testTargets: targetsAt(testInputs, () => 0) } : {};
      return { name: factor === 1 ? name : `${name} ×${factor}`, problem, testInputs, ...testTargets };
    },
  };
}

/** Numbers become signs, rows of several become one-hot at their largest entry. */
function toLabels(targets: Float64Array, outputs: number): void {
  for (let i = 0; i < targets.length; i += outputs) {
    const row = targets.subarray(i, i + outputs);
    if (outputs === 1) row[0] = row[0]! > 0 ? 1 : -1;
    else {
      const largest = row.indexOf(Math.max(...row));
      row.fill(0);
      row[largest] = 1;
    }
  }
}

/** A network as an experiment file has it. */
export const asWritten =
  (network: (factor: number) => object) =>
  (factor: number): Network =>
    resolveNetworkInput(network(factor) as { readonly type: string }, createRegistry(standardPlugins));

/** Fully connected network with one variance per layer. */
export const fullyConnected =
  (
    activation: string,
    widths: readonly number[],
    weightVariance: readonly number[],
    biasVariance: readonly number[] = widths.map(() => 0).concat(0),
  ) =>
  (factor: number): Network =>
    ({ type: "fully-connected", activation, widths: widths.map((width) => width * factor), weightVariance, biasVariance }) as Network;

/** Convolutional network, in the resolved form of its prior model. */
export const convolutional =
  (fields: {
    readonly inputShape: readonly number[];
    readonly layers: readonly {
      readonly channels: number;
      readonly kernelSize: readonly number[];
      readonly stride?: readonly number[];
      readonly padding?: "circular" | "zero" | "valid" | readonly number[];
      readonly dilation?: readonly number[];
    }[];
    readonly readout: "flatten" | "global-average";
    readonly activation: string;
    readonly weightVariance: readonly number[];
    readonly biasVariance?: readonly number[];
  }) =>
  (factor: number): Network =>
    ({
      type: "convolutional",
      inputShape: fields.inputShape,
      layers: fields.layers.map(({ channels, kernelSize, stride, padding, dilation }) => ({
        channels: channels * factor,
        kernelSize,
        stride: stride ?? kernelSize.map(() => 1),
        padding: padding ?? "circular",
        dilation: dilation ?? kernelSize.map(() => 1),
      })),
      readout: fields.readout,
      activation: fields.activation,
      weightVariance: fields.weightVariance,
      biasVariance: fields.biasVariance ?? fields.weightVariance.map(() => 0),
    }) as Network;

/** Network written as a list of layers, as a function of the factor of its widths. */
export const sequential =
  (inputShape: readonly number[], layers: (factor: number) => readonly { readonly layer: string; readonly [field: string]: unknown }[]) =>
  (factor: number): Network =>
    ({ type: "sequential", inputShape, layers: layers(factor) }) as Network;
