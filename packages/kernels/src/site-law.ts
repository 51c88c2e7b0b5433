import type { Matrix, MixingLaw, WishartChain } from "@finitewidth/core";
import { gram, multiplyTransposedRight, transpose } from "@finitewidth/linalg";
import { chainLayout, sampleChainFactors } from "@finitewidth/numerics";
import { requireMemory } from "./convolution/memory.js";

/** What every law over sites has: its chain, draws M_1 over (output, site), and kernels K_rs = Φ̃_r Φ̃_sᵀ between sites. */
export function siteLaw(chain: WishartChain, features: (inputs: Matrix) => readonly Matrix[]): Omit<MixingLaw, "covariance"> {
  const { sites } = chain.layers[0]!;
  return {
    sites,
    chain,
    sample: (outputs, stream) => {
      requireMemory(8 * (outputs * sites) ** 2, "the mixing matrix", "use larger strides, fewer sites or a pooled readout");
      return gram(sampleChainFactors(chainLayout(chain, outputs), stream)[0]!.f);
    },
    siteKernels: (inputs, others) => {
      requireMemory(
        8 * sites * sites * inputs.shape[0] * (others ?? inputs).shape[0],
        "the kernels between sites",
        "use fewer inputs, larger strides or a pooled readout",
      );
      const left = features(inputs);
      return kernelsBetween(left, others ? features(others) : left);
    },
  };
}

/** K_rs = Φ̃_r Φ̃'_sᵀ at r·S + s. */
function kernelsBetween(features: readonly Matrix[], others: readonly Matrix[]): readonly Matrix[] {
  const n = features.length;
  const out: Matrix[] = [];
  for (let r = 0; r < n; r++) {
    for (let s = 0; s < n; s++) {
      if (features !== others) out.push(multiplyTransposedRight(features[r]!, others[s]!));
      else if (s < r) out.push(transpose(out[s * n + r]!));
      else out.push(s === r ? gram(features[r]!) : multiplyTransposedRight(features[r]!, others[s]!));
    }
  }
  return out;
}
