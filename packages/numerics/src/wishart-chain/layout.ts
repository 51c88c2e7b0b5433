import type { WishartChain, WishartLayer } from "@finitewidth/core";

/** Shapes of one layer of a chain of Bartlett factors F_l = R_l Z_l, M_l = F_l F_lᵀ. */
export interface ChainLayerLayout {
  readonly layer: WishartLayer;
  /** Rows of F_l: outputs × sites. */
  readonly rows: number;
  /** Columns of E_l, the covariance factor handed down by the layer above. */
  readonly inner: number;
  /** d_l: columns of R_l, rows of Z_l. Less than `inner` where E_l has more columns than rows and R_l is its Cholesky factor instead. */
  readonly size: number;
  /** r_l = min(d_l, N_l): columns of Z_l and of F_l. */
  readonly rank: number;
  readonly reduced: boolean;
  /** Where the coordinates of Z_l start: r_l diagonal ones, then those below the diagonal, column by column. */
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
 * Shapes of the Bartlett factors of a Wishart chain. Going down from the readout, E_l has one block of columns per tap; where that is more
 * than its rows the Cholesky factor of E_l E_lᵀ replaces it. Source: docs/theories/convolution.md §5.
 */
export function chainLayout(chain: WishartChain, outputs: number): ChainLayout {
  const layers: ChainLayerLayout[] = [];
  let offset = 0;
  for (const layer of chain.layers.toReversed()) {
    const above = layers[0];
    const rows = outputs * layer.sites;
    const inner = above === undefined ? rows : above.rank * layer.taps.length;
    const size = Math.min(rows, inner);
    const rank = Math.min(size, layer.width);
    layers.unshift({ layer, rows, inner, size, rank, reduced: above !== undefined && inner > rows, offset });
    offset += rank + rank * size - (rank * (rank + 1)) / 2;
  }
  return { outputs, layers, dimension: offset };
}
