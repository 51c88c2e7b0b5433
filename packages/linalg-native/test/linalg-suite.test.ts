import { describe, it, vi } from "vitest";
import { createNativeBackend, nativeProblem } from "../src/index.js";

// The tests of @finitewidth/linalg that run over all backends, with this one in the place of the WebAssembly builds.
vi.mock("../../linalg/test/backends.js", async () => {
  const { referenceBackend } = await import("@finitewidth/linalg");
  const { createNativeBackend: create } = await import("../src/index.js");
  return { availableBackends: () => [referenceBackend, create()!] };
});

if (createNativeBackend() === undefined) {
  describe("linalg's own tests on the add-on", () => {
    it.skip(`skipped: ${nativeProblem()}`, () => undefined);
  });
} else {
  await import("../../linalg/test/backend.test.js");
  await import("../../linalg/test/cholesky-inverse.test.js");
  await import("../../linalg/test/maps.test.js");
  await import("../../linalg/test/workspace.test.js");
  await import("../../linalg/test/tridiagonal-hard-cases.test.js");
}
