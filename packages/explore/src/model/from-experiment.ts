import { FinitewidthError, inputError } from "@finitewidth/core";
import { initialState, limits, parseState, type ExploreState, type Table } from "./state.js";

type Fields = Readonly<Record<string, unknown>>;
const fields = (value: unknown, path: string): Fields => {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Fields;
  throw inputError(path, "an object", value);
};

/** One number for every layer, or a list. */
const perLayer = (value: unknown, layers: number, otherwise: number): unknown =>
  Array.isArray(value) ? value : Array.from({ length: layers }, () => value ?? otherwise);

/**
 * The state that shows an experiment file: a fully connected network on data that stand in the file. @throws FinitewidthError (code
 * "input") naming what the page cannot show.
 */
export function stateFromExperiment(value: unknown, name = "experiment"): ExploreState {
  const file = fields(value, "experiment");
  const network = fields(file.network, "network");
  const known = network.type;
  if (typeof known !== "string" || !("widths" in network) || "layers" in network)
    throw inputError("network.type", 'a network that the page draws: "fully-connected"', known);
  const widths = network.widths;
  const data = fields(file.data, "data");
  if (!("train" in data) || typeof data.train !== "object")
    throw inputError("data", "data that stand in the file (finitewidth explore puts them there)", data);
  const test = data.test as Partial<Table> | undefined;
  const train = data.train as Table;
  if (Array.isArray(train.inputs) && train.inputs.length > 2 * limits.train[1])
    throw inputError("data.train", `at most the ${2 * limits.train[1]} points that the page holds`, train.inputs.length);
  const layers = Array.isArray(widths) ? widths.length + 1 : 2;
  const likelihood = fields(file.likelihood ?? {}, "likelihood");
  if (file.likelihood !== undefined && !("temperature" in likelihood))
    throw inputError("likelihood", "the noise of a temperature, which is what the page holds", likelihood.type);
  return asWritten(() =>
    parseState({
      ...initialState,
      data: { kind: "own", name, train, ...(test?.inputs && test.targets && test.inputs.length > 0 ? { test } : {}) },
      widths,
      layer: layers - 1,
      activation: network.activation,
      weightVariance: perLayer(network.weightVariance, layers, 1),
      biasVariance: perLayer(network.biasVariance, layers, 0),
      temperature: likelihood.temperature,
      seed: file.seed ?? 1,
    }),
  );
}

/** Mistakes told by their place in an experiment file. */
function asWritten(action: () => ExploreState): ExploreState {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof FinitewidthError) || error.path === undefined) throw error;
    const parent = /^(widths|activation|weightVariance|biasVariance)\b/.test(error.path)
      ? "network."
      : error.path === "temperature"
        ? "likelihood."
        : "";
    throw new FinitewidthError(`${parent}${error.message}`, { ...error.toJSON(), path: `${parent}${error.path}` }, { cause: error });
  }
}
