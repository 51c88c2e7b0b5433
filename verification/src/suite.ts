import {
  FinitewidthError,
  inputError,
  priorQuestion,
  reasonToRefuse,
  resolveNetworkInput,
  validate,
  type Claim,
  type Registry,
  type Run,
  type Scenario,
  type Theory,
} from "@finitewidth/core";
import { applyFault, faults, infiniteWidth } from "./faults.js";
import type { FigureEvidence } from "./figure-evidence.js";
import { criticalScore, judge, smallestCaught, suiteComparisons, type Comparison, type Verdict } from "./judge.js";
import { checkPower, isPowerful, type PowerCheck } from "./power.js";
import { family, type ScenarioFamily } from "./scenario-family.js";
import { scenarios } from "./scenarios/index.js";
import type { Estimate } from "./sufficient-sums.js";
import { sampleFor, type Sampled } from "./truth.js";

/** What was found about one claim. */
export interface Evidence {
  readonly theory: string;
  readonly scenario: string;
  readonly id: string;
  readonly statement: string;
  readonly source: string;
  readonly error: Claim["error"];
  readonly quantity: string;
  readonly comparisons: readonly {
    readonly factor: number;
    readonly claimed: readonly number[];
    readonly sampled: readonly number[];
    readonly standardError: readonly number[];
    readonly effectiveSamples: number;
  }[];
  readonly shape: readonly number[];
  readonly threshold: number;
  readonly verdict: Verdict;
  /** Smallest relative error of all its numbers with which the claim would be rejected; left out where even ten would pass. */
  readonly relativeError?: number;
  readonly power: readonly PowerCheck[];
  /** Infinite width, and of every kind of fault that applies at least one, was caught; see `isPowerful`. */
  readonly powerful: boolean;
  readonly passed: boolean;
}

/** Result of a whole suite. */
export interface SuiteEvidence {
  readonly suite: "quick" | "full";
  readonly passed: boolean;
  readonly claims: readonly Evidence[];
  /** Scenarios that could not be run, with the reason. */
  readonly failures: readonly { readonly scenario: string; readonly theory: string; readonly reason: string }[];
  /** Figures of papers, which the full suite computes too. */
  readonly figures?: readonly FigureEvidence[];
  readonly seconds: number;
}

/** What a theory states on a scenario at some of its widths, and what the samples say. */
interface Gathered {
  readonly family: ScenarioFamily;
  readonly factors: readonly number[];
  readonly theory: Theory;
  readonly options: unknown;
  readonly claims: readonly (readonly Claim[])[];
  readonly estimates: readonly (readonly Estimate[])[];
}

/** Settings of a verification run. */
export interface VerificationSettings {
  readonly suite: "quick" | "full";
  /** Only claims whose "theory / scenario / claim" contains this text; claims' own names count where no theory and scenario contain it. */
  readonly filter?: string;
  /** @defaultValue the built-in ones and those of registered plug-ins */
  readonly families?: readonly ScenarioFamily[];
  /** The filter names something else that is checked too: claims' own names do not count, and that there are none is no mistake. */
  readonly mayBeEmpty?: boolean;
}

/**
 * Samples, compares and judges every claim of every theory on every scenario. @throws FinitewidthError (code "input") when the filter
 * matches nothing.
 */
export async function runVerification(
  settings: VerificationSettings,
  run: Run,
  onScenario?: (name: string) => void,
): Promise<SuiteEvidence> {
  const started = performance.now();
  const families = (settings.families ?? [...scenarios, ...pluginFamilies(run.registry)]).filter(
    (family) => settings.suite === "full" || family.suite === "quick",
  );
  const wanted = (theory: string, family: ScenarioFamily, claim = ""): boolean =>
    settings.filter === undefined || `${theory} / ${family.name} / ${claim}`.toLowerCase().includes(settings.filter.toLowerCase());
  // what a scenario's or theory's name already decides need not be fitted to learn its claims' names
  const named = settings.mayBeEmpty === true || families.some((family) => family.theories.some(({ name }) => wanted(name, family)));
  const failures: { scenario: string; theory: string; reason: string }[] = [];
  const gathered: Gathered[] = [];

  for (const family of families) {
    onScenario?.(family.name);
    const built = family.factors.map((factor) => family.build(factor));
    const stated: Omit<Gathered, "estimates">[] = [];
    const gather = async (name: string, step: () => Promise<void>): Promise<void> => {
      try {
        await step();
      } catch (error) {
        run.signal?.throwIfAborted();
        if (wanted(name, family))
          failures.push({ scenario: family.name, theory: name, reason: error instanceof Error ? error.message : String(error) });
      }
    };
    for (const { name, options: raw } of family.theories) {
      if (named && !wanted(name, family)) continue;
      await gather(name, async () => {
        const theory = run.registry.theory(name, "theories");
        const options = validate(theory.options, raw ?? {}, `options of ${name}`);
        const first = await collect(theory, family, built[0]!, options, run);
        const kept = first
          .filter((claim) => samplable(family, claim) && (wanted(name, family, claim.id) || wanted(name, family)))
          .map((claim) => claim.id);
        if (first.length === 0 && wanted(name, family))
          failures.push({ scenario: family.name, theory: name, reason: "states no claims here" });
        if (kept.length === 0) return;
        const select = (claims: readonly Claim[]): Claim[] => claims.filter((claim) => kept.includes(claim.id));
        // what is judged at the first width needs no other
        const factors = select(first).some(({ error }) => typeof error === "object" && "order" in error)
          ? family.factors
          : [family.factors[0]!];
        const rest = await Promise.all(built.slice(1, factors.length).map((scenario) => collect(theory, family, scenario, options, run)));
        stated.push({ family, factors, theory, options, claims: [first, ...rest].map(select) });
      });
    }
    const quantities = stated.flatMap(({ claims }) => claims[0]!.map(({ estimand }) => estimand.quantity));
    const truth = new Map<string, Promise<Sampled>>();
    for (const one of stated) {
      await gather(one.theory.name, async () => {
        const estimates = await Promise.all(
          one.claims.map(async (claims, i) => sampleFor(family, built[i]!, claims, truth, i, run, quantities)),
        );
        gathered.push({ ...one, estimates });
      });
    }
  }
  const comparisons = gathered.reduce(
    (sum, { claims }) => sum + claims[0]!.reduce((entries, claim) => entries + claim.value.data.length, 0),
    0,
  );
  if (gathered.length === 0 && failures.length === 0 && !settings.mayBeEmpty)
    throw inputError("--filter", "part of a name theory / scenario / claim, as `finitewidth verify` prints them", settings.filter);
  const threshold = criticalScore(Math.max(comparisons, suiteComparisons));

  const evidence: Evidence[] = [];
  for (const { family, factors, theory, options, claims, estimates } of gathered) {
    const faulty = await Promise.all(
      faults.map(async (fault) => {
        const changed = factors.map((factor) => applyFault(fault, family.build(factor), run.registry));
        return {
          fault,
          lists: await Promise.all(changed.map((scenario) => collect(theory, family, scenario, options, run).catch(() => []))),
        };
      }),
    );
    for (const [c, claim] of claims[0]!.entries()) {
      const compare = (lists: readonly (readonly Claim[])[]): Comparison[] =>
        factors.map((factor, i) => {
          const { value, standardError } = lists[i]!.find((other) => other.id === claim.id)!;
          return {
            factor,
            claimed: value.data,
            ...(standardError ? { claimedError: standardError.data } : {}),
            sampled: estimates[i]![c]!,
          };
        });
      const own = compare(claims);
      const verdict = judge(claim.error, own, threshold);
      const relativeError = smallestCaught(claim.error, own, threshold);
      const power = faulty.flatMap(({ fault, lists }): PowerCheck[] => {
        const wrong = lists.every((list) => list.some((other) => other.id === claim.id)) ? compare(lists) : undefined;
        const checked = checkPower(fault.name, claim.error, own, wrong, threshold);
        if (fault.name !== infiniteWidth.of) return [checked];
        const limit = wrong?.map((one, i) => infiniteWidth.comparison(own[i]!, one));
        return [checked, checkPower(infiniteWidth.name, claim.error, own, limit, threshold)];
      });
      const powerful = isPowerful(power);
      evidence.push({
        theory: theory.name,
        scenario: family.name,
        id: claim.id,
        statement: claim.statement,
        source: claim.source,
        error: claim.error,
        quantity: claim.estimand.quantity + (claim.estimand.layer === undefined ? "" : ` ${claim.estimand.layer}`),
        comparisons: own.map(({ factor, claimed, claimedError, sampled }) => ({
          factor,
          claimed: [...claimed],
          sampled: [...sampled.value],
          standardError: Array.from(sampled.standardError, (error, i) => Math.hypot(error, claimedError?.[i] ?? 0)),
          effectiveSamples: sampled.effectiveSamples,
        })),
        shape: claim.value.shape,
        threshold,
        verdict,
        ...(relativeError === undefined ? {} : { relativeError }),
        power,
        powerful,
        passed: verdict.agrees && powerful,
      });
    }
  }
  return {
    suite: settings.suite,
    passed: failures.length === 0 && evidence.every((entry) => entry.passed),
    claims: evidence,
    failures,
    seconds: (performance.now() - started) / 1000,
  };
}

/** Chains sample the posterior up to its normalisation: they say nothing about the evidence. */
const samplable = ({ sampling }: ScenarioFamily, { estimand }: Claim): boolean =>
  sampling.kind === "importance" || estimand.quantity !== "logEvidence";

/** Scenarios of the registered plug-ins. */
export const pluginFamilies = (registry: Registry): readonly ScenarioFamily[] =>
  registry.scenarios.map((description) =>
    family({ ...description, network: (factor) => resolveNetworkInput({ ...description.network(factor) }, registry) }),
  );

/** Built-in scenarios on which theories without scenarios of their own are checked: those that they do not refuse. */
export function familiesFor(theories: readonly Theory[], registry: Registry): readonly ScenarioFamily[] {
  return scenarios.flatMap((builtIn) => {
    const fits = theories.filter((theory) =>
      builtIn.factors.every((factor) => {
        try {
          return reasonToRefuse(theory, builtIn.build(factor).problem, validate(theory.options, {}), registry) === undefined;
        } catch {
          return false;
        }
      }),
    );
    return fits.length === 0 ? [] : [{ ...builtIn, theories: fits.map(({ name }) => ({ name })) }];
  });
}

async function collect(theory: Theory, family: ScenarioFamily, scenario: Scenario, options: unknown, run: Run): Promise<Claim[]> {
  const reason = reasonToRefuse(theory, scenario.problem, options, run.registry);
  if (reason !== undefined) throw new FinitewidthError(`[${theory.name}] ${reason}`, { code: "refused" });
  const posterior = await theory.fit(scenario.problem, options, run);
  const predictive = await theory.predict(posterior, scenario.testInputs, { covariance: family.covariance ?? false }, run);
  const question = priorQuestion(scenario.problem, run.registry);
  const answers = theory.prior !== undefined && theory.refusesPrior?.(question, options, run.registry) === undefined;
  const prior = answers ? await theory.prior!(question, options, run) : undefined;
  return [...theory.claims({ scenario, posterior, predictive, ...(prior ? { prior } : {}) }, run.registry)];
}
