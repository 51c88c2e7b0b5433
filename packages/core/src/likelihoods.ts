import { FinitewidthError } from "./errors.js";
import type { Likelihood, LikelihoodChoice } from "./likelihood.js";
import type { Problem } from "./problem.js";
import type { Registry } from "./registry.js";
import type { Matrix } from "./tensor.js";
import type { Theory } from "./theory.js";
import { validate } from "./validation.js";

/** A likelihood by name, its parameters validated. @throws FinitewidthError (code "input") for an unknown name or bad parameters. */
export function createLikelihood(registry: Registry, choice: LikelihoodChoice, path = "likelihood"): Likelihood {
  const { type, ...parameters } = choice;
  const family = registry.likelihood(type, `${path}.type`);
  return family.create(validate(family.schema, parameters, path));
}

/** The likelihood of a problem, where it is not Gaussian noise of variance `temperature`. */
export const likelihoodOf = ({ likelihood }: Pick<Problem, "likelihood">, registry: Registry): Likelihood | undefined =>
  likelihood && createLikelihood(registry, likelihood);

/** Every class has a row. @throws FinitewidthError (code "input") naming the first that has none. */
export function requireEveryClass(likelihood: Likelihood, targets: Matrix, path: string): void {
  const classes = likelihood.classes(targets.shape[1]);
  if (classes === undefined || likelihood.labels === undefined) return;
  const seen = new Set(likelihood.labels(targets));
  for (let c = 0; c < classes; c++) {
    if (!seen.has(c)) {
      const target = likelihood.encode && Array.from(likelihood.encode([c], classes).data);
      const named = target?.length === 1 ? `of the target ${target[0]}` : `${c}`;
      throw new FinitewidthError(
        `${path}: class ${named} has no training point; ${classes > 2 ? "leave the class out or add some" : "add some"}`,
        { code: "input", path },
      );
    }
  }
}

/** Why a theory does not apply, its own reasons and that it needs Gaussian noise; undefined when it does. */
export function reasonToRefuse<Options, State>(
  theory: Theory<Options, State>,
  problem: Problem,
  options: Options,
  registry: Registry,
): string | undefined {
  if (problem.likelihood !== undefined && theory.anyLikelihood !== true) {
    const others = takers(theory.name, problem, registry);
    const instead = others === undefined ? "use squared loss" : `use ${others}, or squared loss`;
    return `needs Gaussian noise, not the ${problem.likelihood.type} likelihood; ${instead}.`;
  }
  const reason = theory.refuses(problem, options, registry);
  return reason === undefined ? undefined : withAdvice(reason, theory.name, problem, registry);
}

/**
 * The reason with advice that holds: where the sentence's own advice names a registered theory, the theories that take this problem with
 * their default options stand in its place.
 */
function withAdvice(reason: string, refusing: string, problem: Problem, registry: Registry): string {
  const advice = /[;,] use [^;]*$/.exec(reason);
  if (!advice || !registry.theories.some(({ name }) => name !== refusing && advice[0].includes(name))) return reason;
  const others = takers(refusing, problem, registry);
  const sentence = reason.slice(0, advice.index);
  return others === undefined ? `${sentence}.` : `${sentence}; use ${others}.`;
}

/** The theories that take a problem with their default options, as a list in words; undefined for none. */
function takers(refusing: string, problem: Problem, registry: Registry): string | undefined {
  const taking = registry.theories.flatMap((theory) => {
    const options = theory.options["~standard"].validate({});
    if (theory.name === refusing || options instanceof Promise || options.issues !== undefined) return [];
    if (problem.likelihood !== undefined && theory.anyLikelihood !== true) return [];
    return theory.refuses(problem, options.value, registry) === undefined ? [`"${theory.name}"`] : [];
  });
  return taking.length > 1 ? `${taking.slice(0, -1).join(", ")} or ${taking.at(-1)}` : taking[0];
}
