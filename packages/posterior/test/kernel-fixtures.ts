import { matrixFromRows } from "@finitewidth/core";
import { scalarLaw, spectralProblem, scalarData, integrateScalarPosterior, nodeTables } from "../src/index.js";

/** Inputs of the one-output posterior fixtures, which give kernels instead of inputs. */
export interface ScalarCase {
  readonly K: number[][];
  readonly y: number[];
  readonly temperature: number;
  readonly widths: number[];
  readonly variances?: number[];
  readonly readoutBiasVariance?: number;
  readonly Kx?: number[][];
  readonly Kxx?: number[][];
}

/** The posterior of a fixture with everything that predictions need. */
export function solveScalar(c: ScalarCase) {
  const law = scalarLaw(c.widths, c.variances);
  const problem = spectralProblem(matrixFromRows(c.K), matrixFromRows(c.y.map((value) => [value])), c.temperature, {
    readout: c.readoutBiasVariance ?? 0,
    hidden: false,
  });
  const data = scalarData(problem);
  const posterior = integrateScalarPosterior(law, data);
  return {
    law,
    problem,
    data,
    posterior,
    tables: nodeTables(posterior, data),
    logEvidence: posterior.logEvidence + (problem.pinned?.logDensity ?? 0),
  };
}
