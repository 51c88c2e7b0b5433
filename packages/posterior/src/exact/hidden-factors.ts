import { inputError, resolveArchitecture, toStandardScaling, type Matrix, type Posterior, type Registry } from "@finitewidth/core";
import { mixingLaw } from "@finitewidth/kernels";
import { hiddenKernelTerms, trainHiddenFactors } from "../scalar/hidden-kernels.js";
import { scalarLaw, logPriorDensity } from "../scalar/law.js";
import { nodeTables } from "../scalar/predict.js";
import { plainChain } from "./chain.js";
import { completeState, quadratureOf } from "./scalar-theory.js";
import type { ExactState } from "./state.js";

/**
 * Rows from … to of B_l, l = 1 … L, with B_l B_lᵀ = E[Ĝˡ | Y] on the training points: any block of the hidden kernels of a fit with one
 * output as a product, however many points there are. (to − from) × (r + n), or 2n with a readout bias. O((to − from) r (N0 + L n)).
 * @throws FinitewidthError (code "input") for a fit of another form.
 */
export function hiddenKernelFactors(
  { problem: given, state }: Posterior<unknown, ExactState>,
  registry: Registry,
  from = 0,
  to = given.inputs.shape[0],
): Matrix[] {
  if (state.kind !== "scalar") throw inputError("posterior.state.kind", '"scalar" (one output)', state.kind);
  const problem = toStandardScaling(given, registry);
  const law = mixingLaw(resolveArchitecture(registry, problem.network))!;
  const chain = plainChain(law.chain)!;
  const mixing = scalarLaw(chain.widths, chain.variances, chain.skips);
  const { nodes } = quadratureOf(state, problem);
  const { data, basis } = completeState(state, problem, law);
  const posterior = { ...nodes, logPrior: state.logQ.map((u) => logPriorDensity(mixing, u)) };
  const tables = nodeTables(posterior, data);
  const rows = basis.rows(from, to);
  return trainHiddenFactors(hiddenKernelTerms(mixing, posterior, data, tables), data, tables, rows);
}
