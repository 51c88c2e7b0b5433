import {
  checkInputs,
  createLikelihood,
  createProblem,
  FinitewidthError,
  inputError,
  rowRange,
  validateAll,
  type DataSplit,
  type ExperimentObject,
  type Json,
  type LikelihoodChoice,
  type Problem,
  type Registry,
  type SweepDraft,
  type SweepKey,
} from "@finitewidth/core";
import { fitLabels } from "@finitewidth/likelihoods";
import { DataCache, resolveSource, type FileReader } from "./data.js";
import { checkLabel } from "./limits.js";
import { MistakeList } from "./mistakes.js";
import { parseExperimentParts, type Parsed } from "./parse.js";
import { applicable, resolveMethods, type PlannedMethod } from "./planned-methods.js";
import type { Experiment } from "./schema.js";
import { applyValues, draftOf, sweepKey, sweepSteps, type SweepValues } from "./sweep.js";
import { isObject } from "./is-object.js";

/** One network on one set of data, and the methods that are asked about it. */
export interface PlannedProblem {
  /** Label of the network, where there are several. */
  readonly label?: string;
  readonly problem: Problem;
  readonly methods: readonly PlannedMethod[];
}

/** The whole experiment, or one step of its sweep. */
export interface PlannedStep {
  readonly values?: SweepValues;
  readonly seed: number;
  readonly data: DataSplit;
  readonly problems: readonly PlannedProblem[];
}

/** Everything checked, nothing computed: what can be wrong with an experiment is wrong here. */
export interface Plan {
  readonly experiment: Experiment;
  readonly registry: Registry;
  /** Data of the experiment as it stands; a sweep over `data` has others in its steps. */
  readonly data: DataSplit;
  readonly steps: readonly PlannedStep[];
  /** Keys of the sweep in the order of the file; empty without one. */
  readonly keys: readonly SweepKey[];
}

/** What a plan needs besides the experiment. */
export interface PlanSettings {
  readonly registry: Registry;
  /** Takes the place of the experiment's `data`, which may then be left out. */
  readonly data?: DataSplit;
  /** Reads `"data": { "file": … }`; left out: files are refused. */
  readonly readFile?: FileReader;
}

/**
 * Resolves names, networks, options, data and sweep steps of an experiment as its file has it. Builds the networks and checks the data of
 * every step; nothing is solved. @throws FinitewidthError (codes "input", "shape", "file"): `Mistakes` with all of them when there are
 * several.
 */
export async function planExperiment(value: unknown, settings: PlanSettings): Promise<Plan> {
  const raw = settings.data && isObject(value) && value.data === undefined ? { ...value, data: { file: "given" } } : value;
  const mistakes = new MistakeList();
  const written = parseExperimentParts(raw, mistakes);
  const sources = new DataCache(settings);
  const keys = Object.keys(written.sweep ?? {}).flatMap((key) => mistakes.attempt(() => sweepKey(key, settings.registry)) ?? []);
  const base = isObject(raw) ? draftOf(raw as ExperimentObject) : undefined;
  const step = base && (await planStep(base, undefined, { mistakes, sources, settings }));
  mistakes.throwIfAny();

  const experiment = { ...written, data: settings.data ? written.data! : resolveSource(written.data!, settings.registry) } as Experiment;
  const plan = { experiment, registry: settings.registry, data: step!.data, keys };
  if (!experiment.sweep) return { ...plan, steps: [step!] };
  const known = { raw: base!.experiment, parts: parseExperimentParts(base!.experiment, mistakes) };
  const context = { sources, settings, known };
  const all = sweepSteps(experiment.sweep);
  for (const key of keys)
    for (const [i, entry] of experiment.sweep[key.name]!.entries())
      await attributed(mistakes, `sweep.${key.name}[${i}]`, key.name, (own) =>
        swept(base!, { [key.name]: entry as Json }, keys, { ...context, mistakes: own }),
      );
  mistakes.throwIfAny();
  const steps: PlannedStep[] = [];
  for (const values of all) {
    const at = `sweep ${JSON.stringify(values)}`;
    const planned = await attributed(mistakes, at, "", (own) => swept(base!, values, keys, { ...context, mistakes: own }));
    mistakes.throwIfAny();
    steps.push(planned!);
  }
  return { ...plan, steps };
}

/** Mistakes of a step told with the place in the sweep that makes them; those about `key` itself need no second path. */
async function attributed<T>(
  mistakes: MistakeList,
  at: string,
  key: string,
  action: (own: MistakeList) => Promise<T | undefined>,
): Promise<T | undefined> {
  const inner = new MistakeList();
  const outer = new MistakeList();
  const result = await outer.attemptAsync(async () => {
    const made = await action(inner);
    inner.throwIfAny();
    return made;
  });
  for (const error of outer.errors) {
    const message = error.path === key ? `${at}${error.message.slice(key.length)}` : `${at}: ${error.message}`;
    mistakes.add(new FinitewidthError(message, { ...error.toJSON(), path: at.split(" ")[0]! }, { cause: error }));
  }
  return result;
}

interface StepContext {
  readonly mistakes: MistakeList;
  readonly sources: DataCache;
  readonly settings: PlanSettings;
  readonly known?: Parsed;
}

function swept(base: SweepDraft, values: SweepValues, keys: readonly SweepKey[], context: StepContext): Promise<PlannedStep | undefined> {
  return planStep(applyValues(base, values, keys, context.settings.registry), values, context);
}

/** Plans one step; undefined when something was wrong with it, which is then among the mistakes. */
async function planStep(draft: SweepDraft, values: SweepValues | undefined, context: StepContext): Promise<PlannedStep | undefined> {
  const { mistakes, sources, settings, known } = context;
  const experiment = parseExperimentParts(draft.experiment, mistakes, known);
  const methods = resolveMethods(experiment.methods, settings.registry, mistakes);
  const source = experiment.data;
  const whole = source && (await mistakes.attemptAsync(() => sources.load(source)));
  const data = whole && mistakes.attempt(() => labelled(firstPoints(whole, draft.trainingPoints), experiment, settings.registry));
  const networks = networksOf(experiment, mistakes);
  const problems = networks.map(({ label, network, path }): PlannedProblem | undefined => {
    if (!data) return void mistakes.attempt(() => resolveNetwork(network, settings.registry, path));
    return mistakes.attempt(() => {
      const at = new MistakeList();
      const problem = at.attempt(() => problemOf(network, experiment, data, settings.registry));
      for (const error of at.errors) mistakes.add(atPath(error, path));
      if (!problem) return undefined;
      const own = methods === "applicable" ? applicable(problem, settings.registry) : methods;
      return { ...(label === undefined ? {} : { label }), problem, methods: own };
    });
  });
  if (!mistakes.empty) return undefined;
  return { ...(values ? { values } : {}), seed: experiment.seed!, data: data!, problems: problems as PlannedProblem[] };
}

/** `network.…` told as `networks[1].…`, points and targets of a problem as they stand in the file. */
function atPath(error: FinitewidthError, path: string): FinitewidthError {
  const [head] = error.path?.split(/[.[]/) ?? [];
  const place = head === "network" ? path : head === "inputs" || head === "targets" ? `data.train.${head}` : head;
  if (error.path === undefined || place === head) return error;
  const moved = `${place}${error.path.slice(head!.length)}`;
  return new FinitewidthError(error.message.replace(error.path, moved), { ...error.toJSON(), path: moved }, { cause: error });
}

function resolveNetwork(network: Record<string, unknown>, registry: Registry, path: string): void {
  const model = registry.priorModel(String(network.type), `${path}.type`);
  const result = validateAll(model.schema, network, path);
  if ("errors" in result) throw result.errors[0]!;
}

interface WrittenNetwork {
  readonly label?: string;
  readonly network: Record<string, unknown> & { readonly type: string };
  readonly path: string;
}

/** The network, or the networks with their labels. */
function networksOf({ network, networks }: Partial<Experiment>, mistakes: MistakeList): WrittenNetwork[] {
  if (network) return [{ network, path: "network" }];
  const labels = new Set<string>();
  return (networks ?? []).map(({ label, ...own }, i) => {
    const name = label ?? own.type;
    mistakes.attempt(() => checkLabel(name, `networks[${i}].label`));
    if (labels.has(name))
      mistakes.add(inputError(`networks[${i}].label`, "a label of its own for each network (results are keyed by it)", name));
    labels.add(name);
    return { label: name, network: own as WrittenNetwork["network"], path: `networks[${i}]` };
  });
}

function firstPoints(data: DataSplit, points: number | undefined): DataSplit {
  const { inputs, targets } = data.train;
  if (points === undefined) return data;
  if (points > inputs.shape[0]) throw inputError("train", `at most ${inputs.shape[0]} points`, points);
  return { ...data, train: { inputs: rowRange(inputs, 0, points), targets: rowRange(targets, 0, points) } };
}

/** What the file says of its likelihood: a registered one by name, or the temperature of Gaussian noise. */
function noiseOf({ likelihood }: Partial<Experiment>): { readonly likelihood: LikelihoodChoice } | { readonly temperature: number } {
  if (likelihood === undefined) return { temperature: 0 };
  return "type" in likelihood ? { likelihood } : { temperature: likelihood.temperature };
}

/** Data with labels in the form that the likelihood takes. */
function labelled(data: DataSplit, experiment: Partial<Experiment>, registry: Registry): DataSplit {
  const noise = noiseOf(experiment);
  return "likelihood" in noise ? fitLabels(createLikelihood(registry, noise.likelihood), data) : data;
}

function problemOf(network: WrittenNetwork["network"], experiment: Partial<Experiment>, data: DataSplit, registry: Registry): Problem {
  const model = registry.priorModel(network.type);
  const result = validateAll(model.schema, network, "network");
  if ("errors" in result) {
    const list = new MistakeList();
    for (const error of result.errors) list.add(error);
    list.throwIfAny();
  }
  const problem = createProblem({ network, ...data.train, ...noiseOf(experiment), scaling: experiment.scaling ?? "standard" }, registry);
  if (data.test) checkInputs(data.test.inputs, problem.network, registry, "data.test.inputs");
  return problem;
}
