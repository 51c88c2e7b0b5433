import { FinitewidthError } from "@finitewidth/core";
import { alignmentsOf, createUnitEvaluator, unitStates } from "./unit.js";
import { infiniteWidthField, type Setting } from "./branch.js";
import { productNodes, quasiRandomNodes, solveOnNodes, type NodeSolution, type UnitNodes } from "./nodes.js";

/** Ranks up to which product rules, and quasi-random nodes, are tried. */
const ranks = { product: 2, quasiRandom: 6 } as const;
const log2Nodes = 13;
const nodesPerDimension = 80;
/** Fewer effective nodes, as a fraction, and their average is not to be trusted. */
const leastFraction = 0.1;

/** A symmetric solution on fixed nodes with the expected number of units beyond the wall. */
export interface FixedSolution {
  readonly nodes: UnitNodes;
  readonly solution: NodeSolution;
  readonly aligned: number;
}

/** The symmetric branch on fixed nodes, or the reason why they will not do. */
export function solveFixed(setting: Setting, wall: number, seed: number): FixedSolution | string {
  const d = setting.prior.features.shape[1];
  if (d > ranks.quasiRandom) return `fixed nodes reach kernels of rank ${ranks.quasiRandom}, this one has rank ${d}`;
  const nodes = d <= ranks.product ? productNodes(d, nodesPerDimension) : quasiRandomNodes(d, log2Nodes, seed);
  const { width, weightVariance, surroundings } = setting;
  let solution: NodeSolution;
  try {
    solution = solveOnNodes(setting.prior, nodes, {
      width,
      weightVariance,
      surroundings,
      start: infiniteWidthField(setting, 1),
      tolerance: 1e-10,
    });
  } catch (error) {
    if (!(error instanceof FinitewidthError)) throw error;
    return error.message;
  }
  if (solution.effectiveFraction < leastFraction)
    return `the fixed nodes keep ${(100 * solution.effectiveFraction).toPrecision(2)} % of their effective number only`;
  const unit = createUnitEvaluator(setting.prior);
  const states = unitStates(nodes.logWeights.length);
  unit.setField(solution.cavity, weightVariance / width);
  unit.evaluate(nodes.units, nodes.logWeights.length, states);
  const beyond = alignmentsOf(states, weightVariance / width).reduce((sum, value, i) => sum + (value > wall ? solution.weights[i]! : 0), 0);
  return { nodes, solution, aligned: width * beyond };
}
