/** Layers of the ziggurat under exp(−x²/2). */
const layers = 256;
/** Start of the tail, and the area of a layer: Marsaglia and Tsang (2000), for 256 layers. */
const tailStart = 3.6541528853610088;
const layerArea = 0.00492867323399;

/** Right edges x_0 > … > x_256 = 0 of the layers; x_0 is the width of the base layer with its tail folded in. */
const edges = new Float64Array(layers + 1);
/** exp(−x_i²/2). */
const heights = new Float64Array(layers + 1);
edges[0] = layerArea / Math.exp(-0.5 * tailStart * tailStart);
edges[1] = tailStart;
for (let i = 2; i < layers; i++) edges[i] = Math.sqrt(-2 * Math.log(layerArea / edges[i - 1]! + Math.exp(-0.5 * edges[i - 1]! ** 2)));
for (let i = 0; i <= layers; i++) heights[i] = Math.exp(-0.5 * edges[i]! ** 2);

/**
 * Sampler of N(0, 1) by the ziggurat method from a source of 32 random bits. Layer, sign and the 53 bits of the position are separate bits
 * (Doornik 2005).
 */
export function ziggurat(bits: () => number, uniform: () => number): () => number {
  const tail = (): number => {
    for (;;) {
      const x = -Math.log(1 - uniform()) / tailStart;
      const y = -Math.log(1 - uniform());
      if (2 * y > x * x) return tailStart + x;
    }
  };
  return () => {
    for (;;) {
      const high = bits();
      const i = high & 255;
      const sign = 1 - ((high >>> 7) & 2);
      const u = (high >>> 9) * 2 ** -23 + (bits() >>> 2) * 2 ** -53;
      const x = u * edges[i]!;
      if (x < edges[i + 1]!) return sign * x;
      if (i === 0) return sign * tail();
      if (heights[i]! + uniform() * (heights[i + 1]! - heights[i]!) < Math.exp(-0.5 * x * x)) return sign * x;
    }
  };
}
