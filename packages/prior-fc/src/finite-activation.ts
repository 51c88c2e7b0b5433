import type { Activation, Matrix } from "@finitewidth/core";
import type { Workspace } from "@finitewidth/linalg";

/** φ and φ′ over matrices of a workspace. Plain loops: `map` with a closure takes several times as long. */
export interface ArrayActivation {
  /** out := c φ(h). */
  values(h: Matrix, c: number, out: Matrix): void;
  /** out := c φ′(h). */
  slopes(h: Matrix, c: number, out: Matrix): void;
}

/** The activation over arrays; erf by the vectorised maps of the workspace. */
export function arrayActivation(activation: Activation, workspace: Workspace): ArrayActivation {
  switch (activation.name) {
    case "identity":
      return { values: scaledCopy, slopes: (_h, c, out) => void out.data.fill(c) };
    case "relu":
      return { values: rectified, slopes: rectifiedSlopes };
    case "erf":
      return {
        values: (h, c, out) => {
          out.data.set(h.data);
          workspace.map("erf", out);
          scaledCopy(out, c, out);
        },
        slopes: (h, c, out) => {
          gaussianExponents(h.data, Math.log((2 * c) / Math.sqrt(Math.PI)), out.data);
          workspace.map("exp", out);
        },
      };
    default:
      return {
        values: ({ data: h }, c, { data: out }) => {
          for (let i = 0; i < out.length; i++) out[i] = c * activation.value(h[i]!);
        },
        slopes: ({ data: h }, c, { data: out }) => {
          for (let i = 0; i < out.length; i++) out[i] = c * activation.derivative(h[i]!);
        },
      };
  }
}

/** out := c x. */
export function scaledCopy({ data: x }: Matrix, c: number, { data: out }: Matrix): void {
  for (let i = 0; i < out.length; i++) out[i] = c * x[i]!;
}

function rectified({ data: h }: Matrix, c: number, { data: out }: Matrix): void {
  for (let i = 0; i < out.length; i++) out[i] = h[i]! > 0 ? c * h[i]! : 0;
}

function rectifiedSlopes({ data: h }: Matrix, c: number, { data: out }: Matrix): void {
  for (let i = 0; i < out.length; i++) out[i] = h[i]! > 0 ? c : h[i]! < 0 ? 0 : 0.5 * c;
}

/** Exponents of e^shift exp(−h²): a factor in the exponent costs no pass of its own. */
function gaussianExponents(h: Float64Array, shift: number, out: Float64Array): void {
  for (let i = 0; i < out.length; i++) out[i] = shift - h[i]! * h[i]!;
}
