import { FinitewidthError, inputError, type WishartChain, type WishartLayer } from "@finitewidth/core";

/** Shapes of one layer of a chain of factors, M_l = F_l F_lᵀ, F_l = R_l Z_l; with a skip F_l = [α(I⊗T)F_{l+1}, 0] + R_l Z_l. */
export interface ChainLayerLayout {
  readonly layer: WishartLayer;
  /** Rows of F_l: outputs × sites. */
  readonly rows: number;
  /** Columns of E_l, the covariance factor handed down by the layer above. */
  readonly inner: number;
  /** d_l: columns of R_l, rows of Z_l. Less than `inner` where E_l has more columns than rows and R_l is its Cholesky factor instead. */
  readonly size: number;
  /** Columns of Z_l along the units that the skip carries: r_{l+1}, all of their entries free; 0 without a skip. */
  readonly shift: number;
  /** Columns of the lower trapezoidal part of Z_l: min(d_l, N_l − shift), the first with N_l − shift degrees of freedom. */
  readonly bartlett: number;
  /** r_l: columns of F_l. Without a skip min(d_l, N_l). */
  readonly rank: number;
  readonly reduced: boolean;
  /**
   * With a skip, F_l is replaced where it has too many columns: by F_{l+1} chol(X) where it is F_{l+1} times something ("inner": one site),
   * by the Cholesky factor of F_l F_lᵀ where it has more columns than rows ("rows").
   */
  readonly compressed?: "inner" | "rows";
  /** Where the coordinates of Z_l start: the diagonal, then below it column by column, then the columns of the skip row by row. */
  readonly offset: number;
}

/** Shapes of all factors of a chain for D outputs; layers 1 … L. */
export interface ChainLayout {
  readonly outputs: number;
  readonly layers: readonly ChainLayerLayout[];
  /** Number of coordinates of all Z_l together. */
  readonly dimension: number;
}

/**
 * Shapes of the factors of a Wishart chain. Going down from the readout, E_l has one block of columns per tap; where that is more
 * than its rows the Cholesky factor of E_l E_lᵀ replaces it. Source: docs/theories/convolution.md §5, residual.md §3.
 * @throws FinitewidthError (code "input") for a skip between layers of different widths; (code "refused") for one over several sites whose
 * layer above has fewer units than it would need.
 */
export function chainLayout(chain: WishartChain, outputs: number): ChainLayout {
  const layers: ChainLayerLayout[] = [];
  let offset = 0;
  for (const [below, layer] of chain.layers.toReversed().entries()) {
    const above = layers[0];
    const rows = outputs * layer.sites;
    const inner = above === undefined ? rows : above.rank * layer.taps.length;
    const size = Math.min(rows, inner);
    const shift = layer.skip === undefined || above === undefined ? 0 : above.rank;
    if (layer.skip !== undefined && above?.layer.width !== layer.width)
      throw inputError(
        `chain.layers[${chain.layers.length - 1 - below}].width`,
        "the width of the layer above, to which it skips",
        layer.width,
      );
    const bartlett = Math.min(size, layer.width - shift);
    const columns = shift + bartlett;
    const compressed =
      shift === 0
        ? undefined
        : layer.sites === 1 && above!.layer.sites === 1 && layer.taps.length === 1
          ? ("inner" as const)
          : ("rows" as const);
    if (compressed === "rows" && columns > rows && above!.rank < above!.rows)
      throw new FinitewidthError(
        `[exact] ${outputs} outputs through a layer of ${above!.rank} units above a skip over several sites leave a singular mixing matrix; use "monte-carlo"`,
        { code: "refused" },
      );
    const limit = compressed === "inner" ? shift : rows;
    layers.unshift({
      layer,
      rows,
      inner,
      size,
      shift,
      bartlett,
      rank: compressed === undefined ? columns : Math.min(columns, limit),
      reduced: above !== undefined && inner > rows,
      ...(compressed !== undefined && columns > limit ? { compressed } : {}),
      offset,
    });
    offset += bartlett + bartlett * size - (bartlett * (bartlett + 1)) / 2 + size * shift;
  }
  return { outputs, layers, dimension: offset };
}
