import koffi from "koffi";

/** Names tried in turn: Debian and Ubuntu, Fedora, Homebrew on both processors, Windows. */
const candidates = [
  "libopenblas.so.0",
  "libopenblas.so",
  "libopenblasp.so.0",
  "/opt/homebrew/opt/openblas/lib/libopenblas.dylib",
  "/usr/local/opt/openblas/lib/libopenblas.dylib",
  "libopenblas.dll",
];

/** The routines used, with the Fortran (LAPACK) or C (CBLAS) calling convention and 32-bit integers. */
export interface OpenBlas {
  readonly path: string;
  /** Name of the kernels that it has chosen for the processor; the environment variable OPENBLAS_CORETYPE overrides its choice. */
  readonly kernels: string;
  readonly setThreads: (count: number) => void;
  readonly dgemm: (...values: readonly unknown[]) => void;
  readonly dsyrk: (...values: readonly unknown[]) => void;
  readonly dtrsm: (...values: readonly unknown[]) => void;
  readonly dpotrf: (...values: readonly unknown[]) => void;
  readonly dsytrd: (...values: readonly unknown[]) => void;
  readonly dormtr: (...values: readonly unknown[]) => void;
  readonly dsterf: (...values: readonly unknown[]) => void;
  readonly dstedc: (...values: readonly unknown[]) => void;
  readonly dsyevd: (...values: readonly unknown[]) => void;
}

const pointers = (count: number) => Array.from({ length: count }, () => "void *").join(", ");

/** Loads OpenBLAS with its LAPACK routines; undefined when no library with all of them is found. */
export function loadOpenBlas(paths: readonly string[] = candidates): OpenBlas | undefined {
  for (const path of paths) {
    try {
      const library = koffi.load(path);
      const fortran = (name: string, parameters: number) => library.func(`void ${name}_(${pointers(parameters)})`);
      return {
        path,
        kernels: String(library.func("const char *openblas_get_corename()")()),
        setThreads: library.func("void openblas_set_num_threads(int)"),
        dgemm: library.func("void cblas_dgemm(int, int, int, int, int, int, double, void *, int, void *, int, double, void *, int)"),
        dsyrk: library.func("void cblas_dsyrk(int, int, int, int, int, double, void *, int, double, void *, int)"),
        dtrsm: library.func("void cblas_dtrsm(int, int, int, int, int, int, int, double, void *, int, void *, int)"),
        dpotrf: fortran("dpotrf", 5),
        dsytrd: fortran("dsytrd", 10),
        dormtr: fortran("dormtr", 13),
        dsterf: fortran("dsterf", 4),
        dstedc: fortran("dstedc", 11),
        dsyevd: fortran("dsyevd", 11),
      };
    } catch {
      // Not this one: the next name is tried.
    }
  }
  return undefined;
}
