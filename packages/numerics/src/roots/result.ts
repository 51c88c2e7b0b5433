/** How a root finder ended. */
export interface Root {
  /** Best point found. */
  readonly root: number;
  /** |f(root)|. */
  readonly residual: number;
  /** The step or the bracket shrank below the tolerance, or f vanished. */
  readonly converged: boolean;
  /** Function evaluations after those of the end points. */
  readonly iterations: number;
}

export interface RootOptions {
  /** Stop when x is known to within tolerance·max(1, |x|). @defaultValue 1e-14 */
  readonly tolerance?: number;
  /** @defaultValue 200 */
  readonly maxIterations?: number;
}
