import { zeros, type Matrix, type RandomStream } from "@finitewidth/core";
import { addDiagonal, cholesky, gram, multiplyVector, solveCholesky } from "@finitewidth/linalg";
import type { ChainState } from "@finitewidth/numerics";
import type { SamplingProblem } from "./densities.js";

/**
 * Gibbs chain of a network with the identity activation, layer by layer: given the other layers the outputs are affine in the parameters
 * θ_l of one, f = J θ_l + rest, so its conditional is Gaussian and is drawn exactly: θ_l = θ₀ + Jᵀ(J Jᵀ + T)⁻¹(y − rest − Jθ₀ − ε), θ₀ ~
 * N(0, 1), ε ~ N(0, T). Yields after every sweep over all layers. Cost of a sweep: L + 1 times PD gradients and O((PD)² parameters).
 */
export function* gibbsChain(
  problem: SamplingProblem,
  draws: number,
  warmup: number,
  random: RandomStream,
  tick: (fraction: number) => void,
): Generator<ChainState, void, void> {
  const { network, targets, temperature } = problem;
  const [points, outputs] = targets.shape;
  const size = points * outputs;
  const theta = random.normals(new Float64Array(network.parameters));
  const gradient = new Float64Array(network.parameters);
  const cotangent: Matrix = zeros(points, outputs);
  const ends = [...network.offsets.slice(1), network.parameters];
  const noise = Math.sqrt(temperature);
  for (let iteration = 0; iteration < warmup + draws; iteration++) {
    for (const [l, start] of network.offsets.entries()) {
      const block = theta.subarray(start, ends[l]);
      const state = network.forward(theta);
      const jacobian = zeros(size, block.length);
      for (let k = 0; k < size; k++) {
        tick(iteration / (warmup + draws));
        cotangent.data.fill(0);
        cotangent.data[k] = 1;
        network.pullback(theta, state, cotangent, gradient);
        jacobian.data.set(gradient.subarray(start, ends[l]), k * block.length);
      }
      const fresh = random.normals(new Float64Array(block.length));
      const change = block.map((value, i) => value - fresh[i]!);
      const fitted = multiplyVector(jacobian, change);
      const misfit = zeros(size, 1);
      for (let k = 0; k < size; k++) misfit.data[k] = targets.data[k]! - state.outputs.data[k]! + fitted[k]! - noise * random.normal();
      const dual = solveCholesky(cholesky(addDiagonal(gram(jacobian), temperature)), misfit);
      block.set(fresh);
      for (let k = 0; k < size; k++)
        for (let i = 0; i < block.length; i++) block[i]! += jacobian.data[k * block.length + i]! * dual.data[k]!;
    }
    yield { iteration, warmup: iteration < warmup, position: theta, logDensity: 0, acceptance: 1, divergent: false };
  }
}
