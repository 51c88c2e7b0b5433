import { type InfiniteWidthKernels, type Matrix } from "@finitewidth/core";
import { symmetrise } from "@finitewidth/linalg";
import type { ConvolutionChain } from "../chain.js";
import { requireMemory } from "./memory.js";
import { adjointPatchOperator } from "./patch-operator.js";
import { formDiagonal, formKernel, type SiteForm } from "./site-form.js";
import type { TapTable } from "./taps.js";

/** Adjoint of the patch operator on a form; a diagonal stays diagonal. */
function pullForm(form: SiteForm, table: TapTable): SiteForm {
  if (form.kind === "full") return { kind: "full", weights: adjointPatchOperator(table, form.weights) };
  const weights = new Float64Array(table.inputSites);
  for (let p = 0; p < table.taps.length; p++) {
    const at = table.taps[p]!;
    if (at >= 0) weights[at]! += form.weights[Math.floor(p / table.tapCount)]! / table.tapCount;
  }
  return { kind: "diagonal", weights };
}

const total = (form: SiteForm): number =>
  (form.kind === "diagonal" ? form.weights : form.weights.data).reduce((sum, value) => sum + value, 0);

function constantForm(sites: number, kind: SiteForm["kind"]): SiteForm {
  if (kind === "diagonal") return { kind, weights: new Float64Array(sites).fill(1 / sites) };
  requireMemory(16 * sites * sites, "a matrix over pairs of sites", "use smaller inputs");
  return { kind, weights: { data: new Float64Array(sites * sites).fill(1 / (sites * sites)), shape: [sites, sites] } };
}

/** A linear functional of K^l as one of K⁰ plus a constant: the form over input sites and the sum of the bias variances on the way. */
function pullToInput(
  chain: ConvolutionChain,
  layer: number,
  start: SiteForm,
): { readonly form: SiteForm; readonly scale: number; readonly bias: number } {
  let [form, scale, bias] = [start, 1, 0];
  for (let l = layer; l >= 1; l--) {
    bias += scale * chain.biasVariance[l - 1]! * total(form);
    scale *= chain.weightVariance[l - 1]!;
    form = pullForm(form, chain.geometry.layers[l - 1]!);
  }
  return { form, scale, bias };
}

/** Kernels for φ = identity: site averages are contracted with the adjoint patch operator first, then one quadratic form per layer. */
export function linearKernels(chain: ConvolutionChain, inputs: Matrix, others?: Matrix): InfiniteWidthKernels {
  const { channels, layers } = chain.geometry;
  const depth = layers.length;
  const functional = (layer: number, start: SiteForm, weight: number, constant: number) => {
    const { form, scale, bias } = pullToInput(chain, layer, start);
    const affine = (values: Float64Array): Float64Array => values.map((value) => weight * (scale * value + bias) + constant);
    return {
      kernel: (): Matrix => {
        const k = formKernel(form, inputs, others ?? inputs, channels);
        return { data: affine((others ? k : symmetrise(k)).data), shape: k.shape };
      },
      diagonal: (rows: Matrix): Float64Array => affine(formDiagonal(form, rows, channels)),
    };
  };
  const hidden = layers.map((table, l) => functional(l + 1, constantForm(table.outputSites, "diagonal"), 1, 0).kernel());
  const readout = functional(
    depth,
    constantForm(layers.at(-1)!.outputSites, chain.readout === "flatten" ? "diagonal" : "full"),
    chain.weightVariance[depth]!,
    chain.biasVariance[depth]!,
  );
  return { preactivation: [...hidden, readout.kernel()], hidden, ...(others ? { othersDiagonal: readout.diagonal(others) } : {}) };
}
