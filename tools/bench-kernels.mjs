// One benchmark process: every kernel of @finitewidth/linalg beside the compiled add-on, OpenBLAS (one thread) and ml-matrix, interleaved.
// CPU time of this process per call; a ratio is the median of the per-round ratios. Prints JSON. Started by bench.mjs.
import { CholeskyDecomposition, EigenvalueDecomposition, Matrix as MlMatrix } from "ml-matrix";
import {
  addDiagonal,
  affine,
  applyReflectors,
  backend,
  cholesky,
  createThreadedWasmBackend,
  createTurboWasmBackend,
  createWasmBackend,
  evaluateShifted,
  fillStreamNormals,
  gram,
  fusedKernelMap,
  mapArcsin,
  mapErf,
  mapExp,
  multiply,
  referenceBackend,
  setBackend,
  solveCholesky,
  symmetricEigen,
  symmetricEigenvalues,
  symmetrise,
  tridiagonalise,
} from "@finitewidth/linalg";
import { createNativeBackend } from "@finitewidth/linalg-native";
import { loadOpenBlas } from "@finitewidth/linalg-native/openblas";
import { stream } from "@finitewidth/random";

const quick = process.argv.includes("--quick");
const sizes = quick ? [200] : [200, 500, 1000, 2000];
const blas = loadOpenBlas();
blas?.setThreads(1);
const native = createNativeBackend();

const median = (values) => values.toSorted?.((a, b) => a - b)[values.length >> 1] ?? [...values].sort((a, b) => a - b)[values.length >> 1];

function milliseconds(run, repeats) {
  const start = process.cpuUsage();
  for (let i = 0; i < repeats; i++) run();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e3 / repeats;
}

/** Times the competitors in turn, `rounds` times; slow peers (ml-matrix at large n) only `slowRounds` times. */
function compare(name, n, competitors, rounds, repeats) {
  const times = {};
  for (const run of Object.values(competitors)) if (!run.slow) run();
  for (let round = 0; round < rounds; round++) {
    for (const [who, run] of Object.entries(competitors)) {
      if (run.slow && round > 0) continue;
      (times[who] ??= []).push(milliseconds(run, run.slow ? 1 : repeats));
    }
  }
  const ratios = {};
  for (const [who, values] of Object.entries(times))
    if (who !== "finitewidth") ratios[who] = median(values.map((value, i) => value / times.finitewidth[i]));
  return { name, n, milliseconds: Object.fromEntries(Object.entries(times).map(([who, values]) => [who, median(values)])), ratios };
}

/** The same call with the add-on in place of WebAssembly. */
function twice(run) {
  if (native === undefined) return { finitewidth: run };
  const onNative = () => {
    const previous = setBackend(native);
    run();
    setBackend(previous);
  };
  return { finitewidth: run, native: onNative };
}

const slow = (run) => Object.assign(run, { slow: true });
const random = stream(1);
const normal = (rows, columns) => ({ data: random.normals(new Float64Array(rows * columns)), shape: [rows, columns] });
const int = (value) => Int32Array.of(value);
const letter = (value) => Uint8Array.of(value.codePointAt(0));

function denseRows(n) {
  const a = normal(n, n);
  const symmetric = symmetrise(a);
  const positive = addDiagonal(affine(1 / n, gram(a)), 1);
  const [o, d, e, tau] = [n * n, n, n, n].map((length) => new Float64Array(length));
  const work = new Float64Array(1 + 6 * n + 2 * n * n);
  const integers = new Int32Array(3 + 5 * n);
  const ml = (m) => MlMatrix.from1DArray(n, n, m.data);
  const [mlA, mlSymmetric, mlPositive] = n <= 1000 ? [ml(a), ml(symmetric), ml(positive)] : [];
  const slowFrom = (limit, run) => (n > limit ? slow(run) : run);
  const peers = (openblas, mlMatrix) => ({
    ...(blas ? { openblas } : {}),
    ...(n <= 1000 && mlMatrix ? { "ml-matrix": slowFrom(200, mlMatrix) } : {}),
  });
  const rounds = n <= 500 ? 11 : n <= 1000 ? 7 : 5;
  const repeats = Math.max(1, Math.round(2e7 / n ** 3 / 0.2));
  return [
    [
      "multiply",
      {
        ...twice(() => multiply(a, a)),
        ...peers(
          () => blas.dgemm(101, 111, 111, n, n, n, 1, a.data, n, a.data, n, 0, o, n),
          () => mlA.mmul(mlA),
        ),
      },
    ],
    ["gram", { ...twice(() => gram(a)), ...peers(() => blas.dsyrk(101, 122, 111, n, n, 1, a.data, n, 0, o, n)) }],
    [
      "cholesky",
      {
        ...twice(() => cholesky(positive)),
        ...peers(
          () => (o.set(positive.data), blas.dpotrf(letter("U"), int(n), o, int(n), int(0))),
          () => new CholeskyDecomposition(mlPositive),
        ),
      },
    ],
    [
      "tridiagonalise",
      {
        ...twice(() => tridiagonalise(symmetric)),
        ...peers(() => (o.set(symmetric.data), blas.dsytrd(letter("U"), int(n), o, int(n), d, e, tau, work, int(work.length), int(0)))),
      },
    ],
    [
      "symmetricEigenvalues",
      {
        ...twice(() => symmetricEigenvalues(symmetric)),
        ...peers(
          () => (
            o.set(symmetric.data),
            blas.dsyevd(letter("N"), letter("U"), int(n), o, int(n), d, work, int(work.length), integers, int(integers.length), int(0))
          ),
        ),
      },
    ],
    [
      "symmetricEigen",
      {
        ...twice(() => symmetricEigen(symmetric)),
        ...peers(
          () => (
            o.set(symmetric.data),
            blas.dsyevd(letter("V"), letter("U"), int(n), o, int(n), d, work, int(work.length), integers, int(integers.length), int(0))
          ),
          () => new EigenvalueDecomposition(mlSymmetric, { assumeSymmetric: true }),
        ),
      },
    ],
  ].map(([name, competitors]) => compare(name, n, competitors, rounds, repeats));
}

// 100 values of the order parameter after one tridiagonalisation, against one Cholesky factorisation and solve for each.
function orderParameterRow(n) {
  const kernel = affine(1 / n, gram(normal(n, n)));
  const y = normal(n, 1);
  let t = tridiagonalise(kernel);
  for (let i = 1; i <= 100; i++) evaluateShifted(t, i / 50, 0.1, y.data);
  applyReflectors(t, y, { transposed: true });
  cholesky(addDiagonal(kernel, 0.1));
  const reduction = milliseconds(() => (t = tridiagonalise(kernel)), 1);
  const sweep = milliseconds(() => {
    const rotated = applyReflectors(t, y, { transposed: true }).data;
    for (let i = 1; i <= 100; i++) evaluateShifted(t, i / 50, 0.1, rotated);
  }, 1);
  const direct = milliseconds(() => solveCholesky(cholesky(addDiagonal(kernel, 0.1)), y), 1);
  return {
    n,
    tridiagonalise: reduction,
    "100 values of q": sweep,
    "one Cholesky and solve": direct,
    total: (reduction + sweep) / reduction,
  };
}

function mapRows(n) {
  const features = normal(n, 50);
  const covariance = affine(1 / 50, gram(features));
  const x = Float64Array.from({ length: n * n }, () => 2 * random.uniform() - 1);
  const out = new Float64Array(n * n);
  const javaScript = (f) => slow(() => x.map(f));
  return [
    [
      "erf kernel",
      {
        ...twice(() => fusedKernelMap("erf", covariance, { out })),
        TypeScript: slow(() => referenceBackend.symmetricKernel("erf", covariance, out)),
      },
    ],
    [
      "relu kernel",
      {
        ...twice(() => fusedKernelMap("relu", covariance, { out })),
        TypeScript: slow(() => referenceBackend.symmetricKernel("relu", covariance, out)),
      },
    ],
    ["erf", { ...twice(() => mapErf(x, out)), TypeScript: slow(() => referenceBackend.map("erf", x, out)) }],
    ["exp", { ...twice(() => mapExp(x, out)), TypeScript: javaScript(Math.exp) }],
    ["arcsin", { ...twice(() => mapArcsin(x, out)), TypeScript: javaScript(Math.asin) }],
    ["normals", { finitewidth: () => fillStreamNormals(out, [1, 2, 3]), TypeScript: () => random.normals(out) }],
  ].map(([name, competitors]) => compare(name, n, competitors, 7, 1));
}

// Wall time, interleaved. On a shared machine only rounds in which both cores were free count, so the best rounds are given beside the
// medians.
async function threadRows(wanted) {
  const one = createWasmBackend();
  const two = await createThreadedWasmBackend(2);
  if (one === undefined || two === undefined) return [];
  const rows = wanted.flatMap((n) => {
    const a = normal(n, n);
    const symmetric = symmetrise(a);
    const positive = addDiagonal(affine(1 / n, gram(a)), 1);
    const { factor } = one.cholesky(positive);
    const kernels = {
      multiply: (on) => on.multiply(a, a, "none"),
      gram: (on) => on.gram(a),
      cholesky: (on) => on.cholesky(positive),
      solveTriangular: (on) => on.solveTriangular(factor, a, false),
      tridiagonalise: (on) => on.tridiagonalise(symmetric),
      symmetricEigen: (on) => on.symmetricEigen(symmetric),
    };
    return Object.entries(kernels).map(([name, run]) => {
      const [single, double] = [one, two.backend].map((on) => ({ on, times: [] }));
      for (let round = 0; round < (n <= 500 ? 61 : 21); round++) {
        for (const { on, times } of [single, double]) {
          const start = performance.now();
          run(on);
          times.push(performance.now() - start);
        }
      }
      const [best1, best2] = [single, double].map(({ times }) => Math.min(...times));
      return {
        name,
        n,
        one: median(single.times),
        two: median(double.times),
        gain: median(single.times) / median(double.times),
        bestGain: best1 / best2,
      };
    });
  });
  two.close();
  return rows;
}

// Last, because its switch holds for the whole process.
function turboRows(wanted) {
  const standard = backend();
  const turbo = createTurboWasmBackend();
  if (turbo === undefined) return [];
  return wanted.flatMap((n) => {
    const a = normal(n, n);
    const o = new Float64Array(n * n);
    const peers = blas ? { openblas: () => blas.dgemm(101, 111, 111, n, n, n, 1, a.data, n, a.data, n, 0, o, n) } : {};
    return [
      compare(
        turbo.name,
        n,
        { finitewidth: () => turbo.multiply(a, a, "none"), standard: () => standard.multiply(a, a, "none"), ...peers },
        7,
        1,
      ),
    ];
  });
}

const cpus = (await import("node:os")).cpus();
// Threads first, before garbage of the other benchmarks is collected on the second core.
const threads = await threadRows(quick ? [200] : [500, 1000]);
console.log(
  JSON.stringify({
    node: process.version,
    backend: backend().name,
    processor: cpus[0]?.model ?? "unknown",
    openblas: blas === undefined ? null : `${blas.path} with its ${blas.kernels} kernels`,
    native: native?.name ?? null,
    dense: sizes.flatMap(denseRows),
    orderParameter: orderParameterRow(quick ? 400 : 2000),
    maps: mapRows(quick ? 400 : 2000),
    threads,
    turbo: turboRows(quick ? [200] : [500, 1000]),
  }),
);
