import type { Matrix } from "@finitewidth/core";

/** Orders "full" and "first": the solution of the equations. */
export interface KernelState {
  readonly kind: "kernels";
  /** C¹, …, C^{L+1}. */
  readonly kernels: readonly Matrix[];
  /** A², …, A^{L+1}. */
  readonly conjugates: readonly Matrix[];
  /** V = (C^{L+1} + T)⁻¹Y: P × D. */
  readonly weights: Matrix;
  /** R = (C^{L+1} + T)⁻¹: P × P. */
  readonly resolvent: Matrix;
  /** Of the nodes of the closure. */
  readonly seed: number;
}

/** Order "proportional": V and R are those of C/(1 + τ) + T and QK + T. */
export interface ProportionalState extends Omit<KernelState, "kind"> {
  readonly kind: "proportional";
  /** Q. */
  readonly orderParameter: number;
  readonly tau: number;
}

/** What predictions of `forward-backward` need. */
export type ForwardBackwardState = KernelState | ProportionalState;
