import type { Claim, FittedScenario, Tensor } from "@finitewidth/core";
import type { ExpectationPropagationOptions } from "./options.js";
import type { ExpectationPropagationState } from "./state.js";

const source = 'docs/theories/expectation-propagation.md, "When it holds"';

/**
 * Relative errors, as fractions of the largest entry, measured against sampled networks; twice as large where the number of aligned units
 * fluctuates, three times where there may be two. Nothing is claimed where the equations are not solved, nor for means, which
 * a wrong variance of the weights hardly changes.
 */
const stated = { variance: 0.06, kernel: 0.05 } as const;
const noticeable = { two: 0.2, fluctuation: 0.1 } as const;

/** What a fit stands behind. */
export function* claimsOf({
  posterior,
  predictive,
}: FittedScenario<ExpectationPropagationOptions, ExpectationPropagationState>): Iterable<Claim> {
  const [none = 0, one = 0] = [0, 1].map((count) => posterior.state.branches[count]?.probability);
  const { two } = posterior.diagnostics["alignedUnits"] as { readonly two: number };
  if (!posterior.solver.converged || posterior.options.branches === "symmetric") return;
  const factor = two > noticeable.two ? 3 : Math.min(none, one) > noticeable.fluctuation ? 2 : 1;
  const claim = (id: string, quantity: string, statement: string, value: Tensor, relative: number, layer?: number): Claim => ({
    id,
    statement,
    source,
    estimand: { of: "posterior", quantity, ...(layer === undefined ? {} : { layer }) },
    value,
    error: { relative: factor * relative },
  });
  yield claim(
    "predictive-variance",
    "predictive.variance",
    "The predictive variance is that of the bulk, of the aligned unit and between the numbers of aligned units.",
    predictive.variance,
    stated.variance,
  );
  yield claim(
    "hidden-kernel-1",
    "hiddenKernel",
    "The hidden kernel is E φφᵀ over the tilted units.",
    posterior.hiddenKernels![0]!,
    stated.kernel,
    1,
  );
}
