import type { Activation } from "./activation.js";
import type { Architecture } from "./architecture.js";
import type { LayerPlugin } from "./layer.js";
import { FinitewidthError, inputError } from "./errors.js";
import type { Dataset } from "./dataset.js";
import type { ReportSection, SweepKey } from "./extensions.js";
import type { LikelihoodFamily } from "./likelihood.js";
import type { Network } from "./network.js";
import type { Observable } from "./observable.js";
import type { PaperFigure } from "./paper-figure.js";
import type { PriorModel } from "./prior-model.js";
import type { Referee } from "./referee.js";
import type { Task } from "./run.js";
import type { ScenarioDescription } from "./scenario.js";
import type { Theory } from "./theory.js";

/** What a package contributes. A third-party package exports one of these as `plugin` (or as its default export). */
export interface Plugin {
  readonly name: string;
  /** URL of the module that exports this plug-in as `plugin` (`import.meta.url`), so that worker threads can load it again. */
  readonly module?: string;
  readonly activations?: readonly Activation[];
  readonly layers?: readonly LayerPlugin[];
  readonly priorModels?: readonly PriorModel[];
  readonly theories?: readonly Theory[];
  readonly observables?: readonly Observable[];
  readonly likelihoods?: readonly LikelihoodFamily[];
  readonly datasets?: readonly Dataset[];
  readonly sweepKeys?: readonly SweepKey[];
  readonly reportSections?: readonly ReportSection[];
  readonly referees?: readonly Referee[];
  /** Figures of papers for `finitewidth reproduce`. */
  readonly figures?: readonly PaperFigure[];
  /** Where `finitewidth verify` checks claims about what this plug-in adds. */
  readonly scenarios?: readonly ScenarioDescription[];
  /** What its theories give to `Run.map`: workers of a bundle, which has no modules to import by URL, find them here by name. */
  readonly tasks?: readonly Task<never, unknown>[];
}

/** Names resolved to plug-ins; a plain value without global state. */
export interface Registry {
  readonly plugins: readonly Plugin[];
  /** @throws FinitewidthError (code "input") naming the known ones. */
  activation(name: string, path?: string): Activation;
  layer(name: string, path?: string): LayerPlugin;
  priorModel(name: string, path?: string): PriorModel;
  theory(name: string, path?: string): Theory;
  observable(name: string, path?: string): Observable;
  likelihood(name: string, path?: string): LikelihoodFamily;
  dataset(name: string, path?: string): Dataset;
  figure(name: string, path?: string): PaperFigure;
  readonly activations: readonly Activation[];
  readonly layers: readonly LayerPlugin[];
  readonly priorModels: readonly PriorModel[];
  readonly theories: readonly Theory[];
  readonly observables: readonly Observable[];
  readonly likelihoods: readonly LikelihoodFamily[];
  readonly datasets: readonly Dataset[];
  readonly sweepKeys: readonly SweepKey[];
  readonly reportSections: readonly ReportSection[];
  /** The first one judges. */
  readonly referees: readonly Referee[];
  readonly scenarios: readonly ScenarioDescription[];
  readonly figures: readonly PaperFigure[];
}

/**
 * Registry of the given plug-ins, later ones may not redefine a name. @throws FinitewidthError (code "input") when a name is taken twice.
 */
export function createRegistry(plugins: readonly Plugin[]): Registry {
  const collect = <T extends { readonly name: string }>(kind: string, of: (plugin: Plugin) => readonly T[] | undefined): Map<string, T> => {
    const found = new Map<string, T>();
    for (const plugin of plugins) {
      for (const item of of(plugin) ?? []) {
        if (found.has(item.name)) {
          throw new FinitewidthError(`plugins: ${kind} "${item.name}" of ${plugin.name} is already registered; rename it`, {
            code: "input",
            path: "plugins",
          });
        }
        found.set(item.name, item);
      }
    }
    return found;
  };
  const activations = collect("activation", (plugin) => plugin.activations);
  const layers = collect("layer", (plugin) => plugin.layers);
  const priorModels = collect("prior model", (plugin) => plugin.priorModels);
  const theories = collect("theory", (plugin) => plugin.theories);
  const observables = collect("observable", (plugin) => plugin.observables);
  const likelihoods = collect("likelihood", (plugin) => plugin.likelihoods);
  const datasets = collect("data set", (plugin) => plugin.datasets);
  const figures = collect("figure", (plugin) => plugin.figures);
  const resolve = <T>(map: Map<string, T>, name: string, path: string): T => {
    const item = map.get(name);
    if (item === undefined) throw inputError(path, `one of ${[...map.keys()].map((key) => `"${key}"`).join(", ")}`, name);
    return item;
  };
  return {
    plugins,
    observable: (name, path = "claim.estimand.quantity") => resolve(observables, name, path),
    observables: [...observables.values()],
    activation: (name, path = "network.activation") => complete(resolve(activations, name, path), path),
    layer: (name, path = "network.layers") => resolve(layers, name, path),
    priorModel: (name, path = "network.type") => resolve(priorModels, name, path),
    theory: (name, path = "methods") => resolve(theories, name, path),
    likelihood: (name, path = "likelihood.type") => resolve(likelihoods, name, path),
    dataset: (name, path = "data.dataset") => resolve(datasets, name, path),
    figure: (name, path = "figure") => resolve(figures, name, path),
    activations: [...activations.values()],
    layers: [...layers.values()],
    priorModels: [...priorModels.values()],
    theories: [...theories.values()],
    likelihoods: [...likelihoods.values()],
    datasets: [...datasets.values()],
    sweepKeys: [...collect("sweep key", (plugin) => plugin.sweepKeys).values()],
    reportSections: [...collect("report section", (plugin) => plugin.reportSections).values()],
    referees: [...collect("referee", (plugin) => plugin.referees).values()],
    scenarios: [...collect("scenario", (plugin) => plugin.scenarios).values()],
    figures: [...figures.values()],
  };
}

/** @throws FinitewidthError (code "input") for an activation without moments, which a plug-in in plain JavaScript may bring. */
function complete(activation: Activation, path: string): Activation {
  if ((activation as Partial<Activation>).moments !== undefined) return activation;
  throw inputError(path, "an activation with moments, as defineActivation of @finitewidth/activations makes them", activation.name);
}

const architectures = new WeakMap<Registry, WeakMap<Network, Architecture>>();

/**
 * The layers of a network, built once for each network object. @throws FinitewidthError (code "input") for unknown names and fields that do
 * not fit.
 */
export function resolveArchitecture(registry: Registry, network: Network): Architecture {
  let known = architectures.get(registry);
  if (known === undefined) architectures.set(registry, (known = new WeakMap()));
  let architecture = known.get(network);
  if (architecture === undefined) known.set(network, (architecture = registry.priorModel(network.type).architecture(network, registry)));
  return architecture;
}
