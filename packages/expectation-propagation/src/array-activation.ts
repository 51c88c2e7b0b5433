import { erf } from "@finitewidth/activations";
import type { Activation, Matrix } from "@finitewidth/core";
import type { Workspace } from "@finitewidth/linalg";

/** φ and φ′ over matrices of a workspace. */
export interface ArrayActivation {
  /** out := φ(h). */
  values(h: Matrix, out: Matrix): void;
  /** out := φ′(h). */
  slopes(h: Matrix, out: Matrix): void;
}

/** The activation over arrays; erf by the vectorised maps of the workspace. */
export function arrayActivation(activation: Activation, workspace: Workspace): ArrayActivation {
  if (activation.moments.kernel === erf.moments.kernel) {
    const shift = Math.log(2 / Math.sqrt(Math.PI));
    return {
      values: (h, out) => {
        out.data.set(h.data);
        workspace.map("erf", out);
      },
      slopes: ({ data: h }, out) => {
        for (let i = 0; i < h.length; i++) out.data[i] = shift - h[i]! * h[i]!;
        workspace.map("exp", out);
      },
    };
  }
  return {
    values: ({ data: h }, { data: out }) => {
      for (let i = 0; i < h.length; i++) out[i] = activation.value(h[i]!);
    },
    slopes: ({ data: h }, { data: out }) => {
      for (let i = 0; i < h.length; i++) out[i] = activation.derivative(h[i]!);
    },
  };
}
