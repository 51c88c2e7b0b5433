/** Entries common to all architectures. Variances are resolved to one per weight layer: L + 1 entries. */
export interface NetworkBase {
  /** Name of the prior model that understands this network. */
  readonly type: string;
  readonly activation: string;
  /** σ_w² of layers 1 … L+1. */
  readonly weightVariance: readonly number[];
  /** σ_b² of layers 1 … L+1. */
  readonly biasVariance: readonly number[];
}

/** h¹ = W¹x/√N0 + b¹, hˡ = Wˡφ(hˡ⁻¹)/√N_{l−1} + bˡ, f = h^{L+1}. */
export interface FullyConnectedNetwork extends NetworkBase {
  readonly type: "fully-connected";
  /** N_1 … N_L. */
  readonly widths: readonly number[];
}

/** Geometry of one convolutional layer, one entry per spatial axis. */
export interface ConvolutionalLayer {
  readonly channels: number;
  readonly kernelSize: readonly number[];
  readonly stride: readonly number[];
  readonly padding: "circular" | "zero" | "valid" | readonly number[];
  readonly dilation: readonly number[];
}

/**
 * h^l[a,i] = Σ_{b,m} W[a,b,m] φ(h^{l−1}[b,τ_m(i)]) / √(C_{l−1}·M) + b; an input row is the array (channels, …space) flattened, last index
 * fastest.
 */
export interface ConvolutionalNetwork extends NetworkBase {
  readonly type: "convolutional";
  /** [channels, length] or [channels, height, width]. */
  readonly inputShape: readonly number[];
  readonly layers: readonly ConvolutionalLayer[];
  readonly readout: "flatten" | "global-average";
}

/** Any architecture: one of ours or a plug-in's, told apart by `type`. */
export type Network = NetworkBase;

export const isFullyConnected = (network: Network): network is FullyConnectedNetwork => network.type === "fully-connected";
export const isConvolutional = (network: Network): network is ConvolutionalNetwork => network.type === "convolutional";

/** Number of hidden layers L, for every network type: one variance per weight layer, L + 1 in all. */
export const hiddenLayers = (network: Network): number => network.weightVariance.length - 1;

/** Widths (channels for convolutions) of the hidden layers; undefined for a third-party type that has no `widths`. */
export function widthsOf(network: Network): readonly number[] | undefined {
  if (isConvolutional(network)) return network.layers.map((layer) => layer.channels);
  return "widths" in network && Array.isArray(network.widths) ? (network.widths as number[]) : undefined;
}
