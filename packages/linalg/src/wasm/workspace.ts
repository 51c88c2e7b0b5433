import { FinitewidthError, inputError, type Matrix } from "@finitewidth/core";
import { denseFactor, type ConstantFactor } from "../constant-factor.js";
import type { DenseWorkspace, Shapes, Workspace } from "../workspace.js";
import { elementwiseCodes, parts, type KernelExports } from "./exports.js";
import { acceptedBuilds, instantiate, memoryLimit, workspaceAddress, type Build } from "./instance.js";
import { countNonzero, sparseRows, type SparseRows } from "./sparse-rows.js";

const pageBytes = 65536;
const alignment = 64;

interface Compiled {
  readonly module: WebAssembly.Module;
  /** Bytes of tables and scratch below the matrices. */
  readonly base: number;
}

// One compilation per build and realm: instances are cheap, modules are not.
const compiled = new Map<Build, Compiled | undefined>();

function compile(variant: Build): Compiled | undefined {
  if (!compiled.has(variant)) {
    const build = acceptedBuilds({ variant })[0];
    if (build === undefined) compiled.set(variant, undefined);
    else {
      const module = new WebAssembly.Module(build.bytes);
      compiled.set(variant, {
        module,
        base: workspaceAddress(instantiate(module, new WebAssembly.Memory({ initial: 64, maximum: 65536 })), 1),
      });
    }
  }
  return compiled.get(variant);
}

// Share of entries that are not zero up to which lists of them are faster than all of them.
const sparseUpTo: Readonly<Record<Build, number>> = { simd: 0.6, relaxed: 0.6, wide: 0.4 };

/**
 * The workspace on a private instance of the kernels whose memory never grows, so that views never detach; undefined where the build is not
 * accepted.
 */
export function wasmWorkspace(variant: Build, shapes: Shapes, constants: readonly Matrix[] = []): Workspace | undefined {
  const build = compile(variant);
  if (build === undefined) return undefined;
  let end = build.base;
  const place = (bytes: number): number => {
    const at = Math.ceil(end / alignment) * alignment;
    end = at + bytes;
    return at;
  };
  const layOut = (shape: readonly [number, number]) => ({ shape, at: place(shape[0] * shape[1] * 8) });
  const offsets = shapes.map(layOut);
  const prepared = constants.map((source) => {
    const nonzero = countNonzero(source);
    if (nonzero >= sparseUpTo[variant] * source.data.length) return { source, dense: layOut(source.shape) };
    const lists = [sparseRows(source, nonzero, false), sparseRows(source, nonzero, true)] as const;
    return { source, lists, at: lists.map(({ bytes }) => place(bytes)) };
  });
  const memory = fixedMemory(end);
  const kernels = instantiate(build.module, memory);
  const view = ({ shape, at }: ReturnType<typeof layOut>): Matrix => ({
    data: new Float64Array(memory.buffer, at, shape[0] * shape[1]),
    shape: [shape[0], shape[1]],
  });
  const dense = operations(kernels, memory.buffer);
  return {
    name: `wasm-${variant}`,
    matrices: offsets.map(view),
    constants: prepared.map((one) =>
      one.dense === undefined
        ? sparseFactor(kernels, memory.buffer, one.source.shape, one.lists, one.at)
        : denseFactor(dense, view(one.dense), one.source),
    ),
    ...dense,
  };
}

/** Products with the lists of the rows of X, and of Xᵀ, at these addresses. */
function sparseFactor(
  kernels: KernelExports,
  buffer: ArrayBuffer,
  shape: readonly [number, number],
  lists: readonly [SparseRows, SparseRows],
  at: readonly number[],
): ConstantFactor {
  const [byRows, byColumns] = lists.map((list, i) => ({ entries: at[i]!, starts: list.write(buffer, at[i]!) }));
  const address = addressIn(buffer);
  const [m, k] = shape;
  return {
    shape,
    multiplyTransposed: (b, out) => {
      const n = b.shape[0];
      kernels.sparseProduct(m, n, k, byRows!.starts, byRows!.entries, address(b), 8, k * 8, address(out), n * 8, 8);
    },
    leftMultiplyTransposed: (b, out) => {
      const n = b.shape[1];
      kernels.sparseProduct(k, n, m, byColumns!.starts, byColumns!.entries, address(b), n * 8, 8, address(out), 8, k * 8);
    },
  };
}

function fixedMemory(bytes: number): WebAssembly.Memory {
  const limit = memoryLimit({});
  const refuse = (cause?: unknown) =>
    new FinitewidthError(
      `a workspace needs ${bytes} bytes (${(bytes / 2 ** 30).toFixed(1)} GiB) of WebAssembly memory; ${limit} bytes can be had`,
      { code: "memory" },
      { cause },
    );
  if (bytes > limit) throw refuse();
  try {
    // the modules import a memory of at most 65536 pages; it is never grown
    return new WebAssembly.Memory({ initial: Math.max(64, Math.ceil(bytes / pageBytes)), maximum: 65536 });
  } catch (cause) {
    throw refuse(cause);
  }
}

/** Where a matrix is. */
const addressIn =
  (buffer: ArrayBuffer) =>
  ({ data }: Matrix): number => {
    if (data.buffer !== buffer) throw inputError("operand", "a matrix of this workspace", "an array outside its memory");
    return data.byteOffset;
  };

function operations(kernels: KernelExports, buffer: ArrayBuffer): Omit<DenseWorkspace, "name" | "matrices"> {
  const whole = new Float64Array(buffer);
  const address = addressIn(buffer);
  return {
    multiply: (a, b, out, { transposed = "none", alpha = 1, beta = 0 } = {}) => {
      const [m, n] = out.shape;
      const left = transposed === "left";
      const right = transposed === "right";
      const k = a.shape[left ? 0 : 1];
      const rowA = a.shape[1] * 8;
      const rowB = b.shape[1] * 8;
      kernels.gemm(
        m,
        n,
        k,
        alpha,
        address(a),
        left ? 8 : rowA,
        left ? rowA : 8,
        address(b),
        right ? 8 : rowB,
        right ? rowB : 8,
        beta,
        address(out),
        n * 8,
        parts.whole,
      );
    },
    gramLower: (x, out, transposed = false) => {
      const [rows, columns] = x.shape;
      const [size, inner, along, across] = transposed ? [columns, rows, 8, columns * 8] : [rows, columns, columns * 8, 8];
      const at = address(x);
      kernels.gemm(size, size, inner, 1, at, along, across, at, across, along, 0, address(out), size * 8, parts.lower);
    },
    map: (kind, x) => {
      // an odd number of entries makes the kernel touch the one after the last, which another view may own
      const { length } = x.data;
      const after = address(x) / 8 + length;
      const kept = whole[after];
      kernels.map(elementwiseCodes[kind], length, address(x));
      if (length % 2 === 1) whole[after] = kept!;
    },
    cholesky: (a) => {
      const n = a.shape[0];
      const pivot = kernels.cholesky(n, address(a), n * 8);
      if (pivot < 0) for (let i = 0; i < n; i++) a.data.fill(0, i * n + i + 1, (i + 1) * n);
      return pivot;
    },
    solveTriangular: (l, b, transposed = false) => {
      const [n, m] = b.shape;
      if (transposed) kernels.solveLowerTransposed(n, m, address(l), n * 8, address(b), m * 8);
      else kernels.solveLower(n, m, address(l), n * 8, address(b), m * 8);
    },
  };
}
