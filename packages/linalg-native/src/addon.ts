import { createRequire } from "node:module";

/** Functions of the add-on (crate/src/lib.rs): in place on arrays wherever their memory is; sizes as in @finitewidth/linalg, row-major. */
export interface Addon {
  interface(): number;
  /** "avx512", "avx2", "neon" or "scalar". */
  instructions(): string;
  multiply(
    m: number,
    n: number,
    k: number,
    alpha: number,
    a: Float64Array,
    b: Float64Array,
    beta: number,
    c: Float64Array,
    transposed: 0 | 1 | 2,
  ): void;
  gram(m: number, k: number, x: Float64Array, c: Float64Array, transposed: boolean, whole: boolean): void;
  cholesky(n: number, a: Float64Array, out: Float64Array): number;
  choleskyInverse(n: number, l: Float64Array, out: Float64Array): void;
  solveTriangular(n: number, m: number, l: Float64Array, b: Float64Array, transposed: boolean): void;
  tridiagonalise(n: number, a: Float64Array, reflectors: Float64Array, d: Float64Array, e: Float64Array, tau: Float64Array): void;
  applyReflectors(n: number, m: number, reflectors: Float64Array, tau: Float64Array, b: Float64Array, transposed: boolean): void;
  map(kind: number, x: Float64Array): void;
  symmetricKernel(kind: number, n: number, covariance: Float64Array, out: Float64Array): boolean;
  crossKernel(kind: number, covariance: Float64Array, out: Float64Array, rows: Float64Array, columns: Float64Array): boolean;
}

/** What `interface` of crate/src/lib.rs returns. */
const expectedInterface = 2;

const packageName = (platform: string): string => `@finitewidth/linalg-native-${platform}`;

/** Packages that may hold the add-on for this machine; npm installs the one whose `os`, `cpu` and `libc` fit. */
function candidates(): string[] {
  const system = `${process.platform}-${process.arch}`;
  if (process.platform === "linux") return [packageName(`${system}-gnu`), packageName(`${system}-musl`)];
  return [packageName(process.platform === "win32" ? `${system}-msvc` : system)];
}

/** The add-on, or why there is none: from `path`, or from the package for this machine. */
export function loadAddon(path?: string): { readonly addon: Addon } | { readonly problem: string } {
  const require = createRequire(import.meta.url);
  const names = path === undefined ? candidates() : [path];
  for (const name of names) {
    try {
      const addon = require(name) as Addon;
      const found = addon.interface();
      if (found === expectedInterface) return { addon };
      return { problem: `${name} has interface ${found} where ${expectedInterface} is needed; install the version of this package` };
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code !== "MODULE_NOT_FOUND") return { problem: `${name} does not load: ${message}` };
    }
  }
  return {
    problem: `${names.join(" and ")} ${names.length === 1 ? "is" : "are"} not installed; npm brings what fits the machine unless it is told to leave out optional dependencies`,
  };
}
