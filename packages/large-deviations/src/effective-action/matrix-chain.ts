import { FinitewidthError, type Matrix } from "@finitewidth/core";
import { affine, identity, innerProduct, symmetricEigen } from "@finitewidth/linalg";
import { fixedPoint } from "@finitewidth/numerics";
import type { MultiOutputSpectrum } from "./multi-output-problem.js";
import { multiOutputAction } from "./multi-output-state.js";
import { congruence, largest, plus, riccatiMinimiser, symmetricInverse } from "./small-matrix.js";

/**
 * Deep networks with D outputs, all order parameters outside the recursion: f | M_1 ~ N(0, M_1 ⊗ K^{L+1}), M_l | M_{l+1} ~ Wishart_D(N_l,
 * M_{l+1}/N_l), M_{L+1} = 1. The law of linear networks; for others the matrix version of closure "product".
 */
export interface MatrixChainSaddle {
  /** M_1 … M_L. */
  readonly matrices: readonly Matrix[];
  /** Σ_l N_l[tr(M_{l+1}⁻¹M_l) − log det(M_{l+1}⁻¹M_l)] + log det A + vec(Y)ᵀA⁻¹vec(Y). */
  readonly action: number;
  readonly converged: boolean;
  readonly iterations: number;
  /** Last relative change of M_1. */
  readonly residual: number;
}

function logDeterminant(a: Matrix): number {
  return symmetricEigen(a).values.reduce((sum, value) => sum + Math.log(value), 0);
}

/** The action at given matrices. O(D²P + L D³). */
export function matrixChainAction(problem: MultiOutputSpectrum, widths: readonly number[], matrices: readonly Matrix[]): number {
  const n = problem.targets.shape[1];
  let value = multiOutputAction(problem).energy(matrices[0]!).value;
  widths.forEach((width, l) => {
    const above = matrices[l + 1] ?? identity(n);
    value += width * (innerProduct(symmetricInverse(above), matrices[l]!) - logDeterminant(matrices[l]!) + logDeterminant(above));
  });
  return value;
}

/**
 * Minimum of the action by cyclic exact minimisation: M_1 by the majorise–minimise step of one hidden layer with prior scale M_2, M_l (l ≥
 * 2) between its neighbours in closed form. The action never increases, matrices stay positive definite. `kernel` of the problem is K^{L+1}
 * without the readout bias. O(D²P + L D³) a sweep. @throws FinitewidthError (code "not-converged") when the matrices are driven to 0.
 */
export function matrixChainSaddle(
  problem: MultiOutputSpectrum,
  widths: readonly number[],
  onIteration?: (iteration: number) => void,
): MatrixChainSaddle {
  const n = problem.targets.shape[1];
  const { energy } = multiOutputAction(problem);
  const { step, residual, iterations } = fixedPoint(
    widths.map(() => identity(n)),
    (before) => {
      const matrices = [...before];
      const above = (l: number): Matrix => symmetricInverse(matrices[l + 1] ?? identity(n));
      const { plus: up, minus } = energy(before[0]!);
      matrices[0] = riccatiMinimiser(plus(above(0), up, 1 / widths[0]!), affine(1 / widths[0]!, congruence(before[0]!, minus)));
      for (let l = 1; l < widths.length; l++) {
        const ratio = widths[l - 1]! / widths[l]!;
        matrices[l] = riccatiMinimiser(above(l), affine(ratio, matrices[l - 1]!), 1 - ratio);
      }
      return { residual: largest(plus(matrices[0]!, before[0]!, -1)) / largest(before[0]!), move: () => matrices };
    },
    { tolerance: 1e-13, maximumIterations: 20_000, standstill: { progress: 0.95, steps: 50, counted: 1e-11 }, onIteration },
  );
  const matrices = step.move();
  const action = matrixChainAction(problem, widths, matrices);
  if (!Number.isFinite(action))
    throw new FinitewidthError("the matrix order parameters did not converge; raise the temperature", { code: "not-converged" });
  return { matrices, action, converged: residual < 1e-9, iterations, residual };
}
