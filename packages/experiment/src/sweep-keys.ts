import {
  hiddenWidths,
  inputError,
  randomLayers,
  resolveArchitecture,
  resolveNetworkInput,
  type ExperimentObject,
  type Json,
  type Network,
  type Registry,
  type SweepDraft,
  type SweepKey,
} from "@finitewidth/core";

type JsonObject = { readonly [key: string]: Json };
const isObject = (value: Json | undefined): value is JsonObject => typeof value === "object" && value !== null && !Array.isArray(value);
const isSize = (value: Json): value is number => Number.isSafeInteger(value) && (value as number) > 0;

/** The draft with every network of the experiment changed. */
function changeNetworks(draft: SweepDraft, change: (network: JsonObject) => JsonObject): SweepDraft {
  const { network, networks } = draft.experiment;
  const experiment: ExperimentObject = {
    ...draft.experiment,
    ...(isObject(network) ? { network: change(network) } : {}),
    ...(Array.isArray(networks) ? { networks: networks.map((one: Json) => (isObject(one) ? change(one) : one)) } : {}),
  };
  return { ...draft, experiment };
}

const resolved = (network: JsonObject, registry: Registry): Network => {
  const { label: _label, ...own } = network;
  return resolveNetworkInput(own as unknown as { type: string }, registry);
};

/** The network with all widths, or its list of widths, replaced. */
function withWidths(network: JsonObject, value: Json, registry: Registry): JsonObject {
  const wanted = Array.isArray(value) ? value : undefined;
  if (!isSize(value) && !wanted) throw inputError("widths", "a positive integer or a list of them", value);
  const before = resolved(network, registry);
  const present = hiddenWidths(resolveArchitecture(registry, before));
  if (present.length === 0) throw inputError("widths", "a network with widths", before.type);
  const widths = wanted ?? present.map(() => value);
  // a list of widths says how many layers there are
  if (Array.isArray(network.widths)) return { ...network, widths };
  if (widths.length !== present.length) throw inputError("widths", `${present.length} widths, one per hidden layer of weights`, widths);
  const varied = registry.priorModel(before.type).vary(before, { width: (_width, l) => widths[l] as number }, registry);
  return { ...network, ...(varied as unknown as JsonObject) };
}

/** The network with all variances of one kind replaced, by one number or one per layer of weights. */
function withVariance(network: JsonObject, name: "weightVariance" | "biasVariance", value: Json, registry: Registry): JsonObject {
  const before = resolved(network, registry);
  // a model with a field of this name takes the value as a file would have it
  if (name in before) return { ...network, [name]: value };
  const count = randomLayers(resolveArchitecture(registry, before).layers).length;
  const values: readonly Json[] = Array.isArray(value) ? value : Array.from({ length: count }, () => value);
  const fits = (entry: Json): boolean =>
    typeof entry === "number" && Number.isFinite(entry) && (name === "weightVariance" ? entry > 0 : entry >= 0);
  if (values.length !== count || !values.every(fits))
    throw inputError(name, `a number ${name === "weightVariance" ? "> 0" : "≥ 0"} or ${count} of them, one per layer of weights`, value);
  const varied = registry.priorModel(before.type).vary(before, { [name]: (_variance: number, l: number) => values[l] as number }, registry);
  return { ...network, ...(varied as unknown as JsonObject) };
}

/** The network with its one hidden layer repeated. */
function withDepth(network: JsonObject, depth: Json, registry: Registry): JsonObject {
  if (!isSize(depth)) throw inputError("depth", "a positive integer", depth);
  if (depth > 10_000) throw inputError("depth", "at most 10000", depth);
  const key = Array.isArray(network.widths) ? "widths" : "layers";
  const layers = network[key];
  const before = resolved(network, registry);
  if (!Array.isArray(layers) || layers.length === 0) throw inputError("depth", "a network with widths", before.type);
  if (layers.some((layer: Json) => JSON.stringify(layer) !== JSON.stringify(layers[0])))
    throw inputError("depth", "a network whose hidden layers are all the same (one of them is copied)", layers);
  return { ...network, [key]: Array.from({ length: depth }, () => layers[0] as Json) };
}

const mean = (value: Json): number | undefined =>
  Array.isArray(value) && value.length > 0 && value.every((entry) => entry === value[0]) && typeof value[0] === "number"
    ? value[0]
    : undefined;

/** The short names. */
export const builtinSweepKeys: readonly SweepKey[] = [
  {
    name: "widths",
    summary: "one width for all hidden layers, or a list of them",
    label: "width N",
    apply: (draft, value, registry) => changeNetworks(draft, (network) => withWidths(network, value, registry)),
    position: (value) => (typeof value === "number" ? value : mean(value)),
  },
  {
    name: "depth",
    summary: "number of hidden layers, copies of the one given",
    label: "hidden layers L",
    order: 1,
    apply: (draft, value, registry) => changeNetworks(draft, (network) => withDepth(network, value, registry)),
  },
  {
    name: "temperature",
    summary: "noise variance T",
    label: "temperature T",
    apply: (draft, value) => {
      if (typeof value !== "number" || !(value >= 0)) throw inputError("temperature", "a number ≥ 0", value);
      return {
        ...draft,
        experiment: { ...draft.experiment, likelihood: { ...(draft.experiment.likelihood as JsonObject), temperature: value } },
      };
    },
  },
  ...(["weightVariance", "biasVariance"] as const).map((name): SweepKey => ({
    name,
    summary: `${name === "weightVariance" ? "σ_w²" : "σ_b²"}, one number or one per weight layer`,
    label: name === "weightVariance" ? "weight variance σ_w²" : "bias variance σ_b²",
    apply: (draft, value, registry) => changeNetworks(draft, (network) => withVariance(network, name, value, registry)),
    position: (value) => (typeof value === "number" ? value : mean(value)),
  })),
  {
    name: "train",
    summary: "first so many training points",
    label: "training points P",
    apply: (draft, value) => {
      if (!isSize(value)) throw inputError("train", "a positive integer", value);
      return { ...draft, trainingPoints: value };
    },
  },
];
