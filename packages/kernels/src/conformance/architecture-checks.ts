import { isLinear, randomLayers, readoutOf, rowRange, type Architecture, type Matrix, type RandomStream } from "@finitewidth/core";
import { demand, demandClose, demandFinite, demandSame, type Check } from "@finitewidth/core/conformance";
import { infiniteWidthKernels, mixingLaw, realise } from "../network-law.js";

/**
 * What the layers of every network must satisfy at some inputs (at least 3 rows): kernels, real networks and laws belong together.
 * `architecture` is asked anew for every check.
 */
export function architectureChecks(
  architecture: () => Architecture,
  inputs: Matrix,
  outputs: number,
  stream: (seed: number) => RandomStream,
): Check[] {
  const P = inputs.shape[0];
  const kernelsOf = (rows: Matrix, others?: Matrix) => infiniteWidthKernels(architecture(), rows, others);
  const realised = (rows = inputs) => realise(architecture(), rows, outputs);
  return [
    {
      name: "infinite-width kernels are symmetric, positive semidefinite and complete",
      run() {
        const { preactivation, hidden } = kernelsOf(inputs);
        const L = hidden.length;
        demand(L >= 1, "at least one hidden layer must be read by a layer of weights");
        // several layers of weights may read the inputs
        const count = architecture().overrides?.infiniteWidthKernels ? L + 1 : randomLayers(architecture().layers).length;
        demand(preactivation.length === count, `preactivation: expected ${count} kernels (K¹ … K^{L+1}), got ${preactivation.length}`);
        for (const [name, list] of Object.entries({ preactivation, hidden })) {
          list.forEach((kernel, l) => {
            demand(kernel.shape[0] === P && kernel.shape[1] === P, `${name}[${l}]: expected ${P} × ${P}, got ${kernel.shape.join(" × ")}`);
            demandFinite(kernel.data, `${name}[${l}]`);
            for (let a = 0; a < P; a++) {
              for (let b = 0; b < a; b++) {
                const [ab, ba, aa, bb] = [
                  kernel.data[a * P + b]!,
                  kernel.data[b * P + a]!,
                  kernel.data[a * P + a]!,
                  kernel.data[b * P + b]!,
                ];
                demandClose([ab], [ba], 1e-12, `${name}[${l}] must be symmetric: entry (${a}, ${b})`);
                demand(ab * ab <= aa * bb * (1 + 1e-9) + 1e-20, `${name}[${l}] is not positive semidefinite in the pair (${a}, ${b})`);
              }
            }
          });
        }
      },
    },
    {
      name: "cross kernels are blocks of the joint kernel, whatever the block sizes",
      run() {
        const joint = kernelsOf(inputs).preactivation;
        const [rows, others] = [rowRange(inputs, 0, 2), rowRange(inputs, 2, P)];
        const cross = kernelsOf(rows, others);
        joint.forEach((kernel, l) => {
          const block = Float64Array.from({ length: 2 * (P - 2) }, (_, k) => kernel.data[Math.floor(k / (P - 2)) * P + 2 + (k % (P - 2))]!);
          demandClose(cross.preactivation[l]!.data, block, 1e-12, `cross preactivation[${l}]`);
        });
        const last = joint.at(-1)!;
        demand(cross.othersDiagonal !== undefined, "othersDiagonal must be present when `others` is given");
        demandClose(
          cross.othersDiagonal,
          Float64Array.from({ length: P - 2 }, (_, k) => last.data[(k + 2) * P + k + 2]!),
          1e-12,
          "othersDiagonal",
        );
      },
    },
    {
      name: "a realised network is a pure function of its parameters",
      run() {
        const net = realised();
        const theta = stream(1).normals(new Float64Array(net.parameters));
        const first = net.forward(theta).outputs.data.slice();
        net.forward(stream(2).normals(new Float64Array(net.parameters)));
        demandSame(net.forward(theta).outputs.data, first, "outputs", "forward must depend on θ only; fill the whole state at each call");
      },
    },
    {
      name: "outputs are linear in the readout: f = Φ a + b",
      run() {
        const net = realised();
        const theta = stream(3).normals(new Float64Array(net.parameters));
        const at = net.parameters - net.readoutParameters;
        const run = (scale: number): Float64Array => {
          const scaled = theta.slice();
          for (let i = at; i < scaled.length; i++) scaled[i]! *= scale;
          return net.forward(scaled).outputs.data.slice();
        };
        demandClose(
          run(3),
          run(1).map((value) => 3 * value),
          1e-10,
          "outputs at three times the readout parameters",
        );
      },
    },
    {
      name: "features give the outputs their variance: Var f = |Φ|² + σ_b²",
      run() {
        const net = realised();
        const theta = stream(4).normals(new Float64Array(net.parameters));
        const at = net.parameters - net.readoutParameters;
        const state = net.forward(theta);
        const F = state.features.shape[1];
        const expected = Float64Array.from({ length: P }, (_, a) =>
          state.features.data
            .subarray(a * F, (a + 1) * F)
            .reduce((sum, value) => sum + value * value, readoutOf(architecture()).biasVariance),
        );
        // The outputs are linear in the readout parameters, so their variance is the sum of squared responses.
        const variance = new Float64Array(P);
        for (let i = at; i < net.parameters; i++) {
          const unit = theta.slice();
          unit.fill(0, at);
          unit[i] = 1;
          const response = net.forward(unit).outputs;
          for (let a = 0; a < P; a++) variance[a]! += response.data[a * outputs]! ** 2;
        }
        demandClose(variance, expected, 1e-10, "variance of the first output over the readout");
      },
    },
    {
      name: "pullbacks are the gradients",
      run() {
        const net = realised();
        const theta = stream(5).normals(new Float64Array(net.parameters));
        const cotangent: Matrix = { data: stream(6).normals(new Float64Array(P * outputs)), shape: [P, outputs] };
        const gradient = new Float64Array(net.parameters);
        net.pullback(theta, net.forward(theta), cotangent, gradient);
        const F = net.forward(theta).features.shape[1];
        const featureCotangent: Matrix = { data: stream(7).normals(new Float64Array(P * F)), shape: [P, F] };
        const featureGradient = new Float64Array(net.parameters);
        net.pullbackFeatures(theta, net.forward(theta), featureCotangent, featureGradient);
        const inner = (a: Float64Array, b: Float64Array): number => a.reduce((sum, value, i) => sum + value * b[i]!, 0);
        const random = stream(8);
        const step = 1e-6;
        for (let trial = 0; trial < 3; trial++) {
          const direction = random.normals(new Float64Array(net.parameters));
          const at = (sign: number) => net.forward(theta.map((value, i) => value + sign * step * direction[i]!));
          const plus = inner(at(1).outputs.data, cotangent.data);
          const minus = inner(at(-1).outputs.data, cotangent.data);
          demandClose([inner(gradient, direction)], [(plus - minus) / (2 * step)], 1e-5, "directional derivative by pullback");
          direction.fill(0, net.parameters - net.readoutParameters);
          const featurePlus = inner(at(1).features.data, featureCotangent.data);
          const featureMinus = inner(at(-1).features.data, featureCotangent.data);
          const hidden = featureGradient.slice();
          hidden.fill(0, net.parameters - net.readoutParameters);
          demandClose(
            [inner(hidden, direction)],
            [(featurePlus - featureMinus) / (2 * step)],
            1e-5,
            "directional derivative by pullbackFeatures",
          );
        }
      },
    },
    {
      name: "two networks of the same parameters are the same function",
      run() {
        const [one, other] = [realised(), realised()];
        const theta = stream(10).normals(new Float64Array(one.parameters));
        demandSame(
          other.forward(theta).outputs.data,
          one.forward(theta).outputs.data,
          "outputs of a second network",
          "realise must be pure: no hidden state and no randomness but θ",
        );
      },
    },
    {
      name: "sampled networks have the infinite-width kernels as their means, where that is exact",
      run() {
        const net = realised();
        const { preactivation, hidden } = kernelsOf(inputs);
        const { layers } = architecture();
        const linear = isLinear(layers);
        const second = layers.findIndex((layer, l) => l > 0 && layer.kind === "random");
        const first = layers.slice(0, second).every(({ kind }) => kind !== "normalise" && kind !== "merge") ? 1 : 0;
        const random = stream(11);
        const theta = new Float64Array(net.parameters);
        const bias = readoutOf(architecture()).biasVariance;
        // E Ĝ¹ = G¹ for every activation below skips and normalisations; linear networks keep their means through all layers.
        const averages = [...(linear ? hidden : hidden.slice(0, first)).map(() => moments(P * P)), ...(linear ? [moments(P * P)] : [])];
        const draws = 2000;
        for (let s = 0; s < draws; s++) {
          const state = net.forward(random.normals(theta));
          const kernels = state.hiddenKernels();
          averages.forEach((average, l) => average.add(l < hidden.length ? kernels[l]!.data : readoutKernel(state.features, bias)));
        }
        averages.forEach((average, l) => {
          const [what, expected] =
            l < hidden.length ? [`hidden[${l}]`, hidden[l]!.data] : [`preactivation[${l}]`, preactivation.at(-1)!.data];
          for (let k = 0; k < expected.length; k++) {
            const { mean, error } = average.at(k);
            demand(
              Math.abs(mean - expected[k]!) <= 5 * error + 1e-9 * Math.abs(mean),
              `${what}[${k}] is ${expected[k]}, but sampled networks give ${mean} ± ${error}: a variance or a fan-in is off in the kernels or in the real network`,
            );
          }
        });
      },
    },
    {
      name: "the mixing law, where there is one, has the infinite-width kernel as its mean",
      run() {
        const law = mixingLaw(architecture());
        if (law === undefined) return;
        const random = stream(9);
        const draws = 4000;
        const mean = new Float64Array(P * P);
        const square = new Float64Array(P * P);
        for (let s = 0; s < draws; s++) {
          const covariance = law.covariance(1, law.sample(1, random), inputs);
          for (let k = 0; k < mean.length; k++) {
            mean[k]! += covariance.data[k]! / draws;
            square[k]! += covariance.data[k]! ** 2 / draws;
          }
        }
        const K = kernelsOf(inputs).preactivation.at(-1)!.data;
        const biases = randomLayers(architecture().layers)
          .slice(1)
          .some(({ biasVariance }) => biasVariance !== 0);
        if (biases) return;
        for (let k = 0; k < mean.length; k++) {
          const error = Math.sqrt(Math.max(0, square[k]! - mean[k]! ** 2) / draws) + 1e-12 * Math.abs(K[k]!);
          demand(
            Math.abs(mean[k]! - K[k]!) <= 5 * error,
            `mean covariance[${k}] = ${mean[k]} ± ${error} differs from the infinite-width kernel ${K[k]}: a variance is off by a factor`,
          );
        }
      },
    },
  ];
}

/** Means and standard errors of arrays of `length` numbers. */
function moments(length: number) {
  const [sum, square] = [new Float64Array(length), new Float64Array(length)];
  let count = 0;
  return {
    add(values: Float64Array): void {
      count += 1;
      for (let k = 0; k < length; k++) {
        sum[k]! += values[k]!;
        square[k]! += values[k]! ** 2;
      }
    },
    at(k: number): { readonly mean: number; readonly error: number } {
      const mean = sum[k]! / count;
      return { mean, error: Math.sqrt(Math.max(0, square[k]! / count - mean * mean) / count) };
    },
  };
}

/** K̂ = Φ Φᵀ + σ_b², P × P. */
function readoutKernel(features: Matrix, bias: number): Float64Array {
  const [P, F] = features.shape;
  const out = new Float64Array(P * P).fill(bias);
  for (let a = 0; a < P; a++)
    for (let b = 0; b < P; b++) for (let j = 0; j < F; j++) out[a * P + b]! += features.data[a * F + j]! * features.data[b * F + j]!;
  return out;
}
