import type { Figure, Json, Matrix } from "@finitewidth/core";
import { combine, multiply, multiplyTransposedLeft, symmetricEigenvalues, symmetrise } from "@finitewidth/linalg";
import { kernelAlignment } from "./alignment.js";
import type { TargetResponse } from "@finitewidth/numerics";
import { dataForce } from "./data-term.js";
import { symmetricRoot } from "./kernel-root.js";
import { relativeDistance } from "./saddle-problem.js";

/** Force number below which the predictor and the evidence are not to be trusted. */
export const trustedForce = 5;

/** ν = N_L λ_max(2FᵀA^{L+1}F) = λ_max of Fᵀ(VVᵀ − DR)F, FFᵀ = C^{L+1}: how strongly the data pull on the readout kernel. O(P³). */
export function forceNumber(kernel: Matrix, data: Pick<TargetResponse, "weights" | "resolvent">): number {
  const { root } = symmetricRoot(kernel);
  const force = dataForce(data);
  const whitened = symmetrise(multiplyTransposedLeft(root, multiply(combine(2, force, 0, force), root)));
  return symmetricEigenvalues(whitened).at(-1)!;
}

/** |Cˡ − Kˡ|_F/|Kˡ|_F of layers 1 … L+1. */
export const adaptationByLayer = (kernels: readonly Matrix[], infiniteWidth: readonly Matrix[]): number[] =>
  kernels.map((kernel, l) => relativeDistance(kernel, infiniteWidth[l]!));

/** Alignment with the targets per layer, centred and not, beside the infinite-width kernels'; null where it does not exist. */
export function alignmentByLayer(
  kernels: readonly Matrix[],
  infiniteWidth: readonly Matrix[],
  targets: Matrix,
): { readonly [key: string]: Json } {
  const of = (list: readonly Matrix[], centred: boolean): (number | null)[] =>
    list.map((kernel) => kernelAlignment(kernel, targets, centred) ?? null);
  return {
    centred: of(kernels, true),
    centredInfiniteWidth: of(infiniteWidth, true),
    uncentred: of(kernels, false),
    uncentredInfiniteWidth: of(infiniteWidth, false),
  };
}

/** Heat maps are left out beyond this many points. */
const largestHeatmap = 200;

/** Kernels layer by layer (infinite-width, adapted, difference), and alignment with depth. */
export function forwardBackwardFigures(kernels: readonly Matrix[], infiniteWidth: readonly Matrix[], targets: Matrix): Figure[] {
  const figures: Figure[] = [];
  if (targets.shape[0] <= largestHeatmap && targets.shape[0] > 1) {
    for (let l = 1; l < kernels.length; l++) {
      figures.push({
        kind: "heatmaps",
        title: `Kernel of layer ${l + 1}`,
        panels: [
          { label: "infinite width", values: infiniteWidth[l]! },
          { label: "adapted", values: kernels[l]! },
          { label: "difference", values: combine(1, kernels[l]!, -1, infiniteWidth[l]!), diverging: true },
        ],
      });
    }
  }
  const curve = (label: string, list: readonly Matrix[]) => {
    const points = list
      .map((kernel, l) => [l + 1, kernelAlignment(kernel, targets, targets.shape[0] > 2)] as const)
      .filter((point): point is readonly [number, number] => point[1] !== undefined);
    return { label, x: Float64Array.from(points, (point) => point[0]), y: Float64Array.from(points, (point) => point[1]) };
  };
  const series = [curve("adapted", kernels), curve("infinite width", infiniteWidth)];
  if (series.every(({ x }) => x.length > 0))
    figures.push({ kind: "lines", title: "Alignment of the kernels with the targets", xLabel: "layer", yLabel: "alignment (CKA)", series });
  return figures;
}
