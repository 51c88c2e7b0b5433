import { FinitewidthError, inputError, type Matrix } from "@finitewidth/core";
import type { Workspace } from "../workspace.js";
import { elementwiseCodes, parts, type KernelExports } from "./exports.js";
import { acceptedBuilds, instantiate, memoryLimit, workspaceAddress, type Build } from "./instance.js";

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

/**
 * The workspace on a private instance of the kernels whose memory never grows, so that views never detach; undefined where the build is not
 * accepted.
 */
export function wasmWorkspace(variant: Build, shapes: readonly (readonly [number, number])[]): Workspace | undefined {
  const build = compile(variant);
  if (build === undefined) return undefined;
  let end = Math.ceil(build.base / alignment) * alignment;
  const offsets = shapes.map(([rows, columns]) => {
    const at = end;
    end += Math.ceil((rows * columns * 8) / alignment) * alignment;
    return at;
  });
  const memory = fixedMemory(end);
  const kernels = instantiate(build.module, memory);
  const matrices = shapes.map((shape, i): Matrix => ({
    data: new Float64Array(memory.buffer, offsets[i]!, shape[0] * shape[1]),
    shape: [shape[0], shape[1]],
  }));
  return { name: `wasm-${variant}`, matrices, ...operations(kernels, memory.buffer) };
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

function operations(kernels: KernelExports, buffer: ArrayBuffer): Omit<Workspace, "name" | "matrices"> {
  const whole = new Float64Array(buffer);
  const address = ({ data }: Matrix): number => {
    if (data.buffer !== buffer) throw inputError("operand", "a matrix of this workspace", "an array outside its memory");
    return data.byteOffset;
  };
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
