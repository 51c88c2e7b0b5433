import { describe, it, vi } from "vitest";

// The tests that run over all backends, with the turbo build of Node 24 and later in the place of the others.
vi.mock("./backends.js", async () => {
  const { createTurboWasmBackend, referenceBackend } = await import("../src/index.js");
  return { availableBackends: () => [referenceBackend, createTurboWasmBackend()!] };
});

if (Number.parseInt(process.versions.v8, 10) < 13) {
  describe("tests of all backends on the turbo build", () => {
    it.skip("skipped: it is for Node 24 and later", () => undefined);
  });
} else {
  await import("./backend.test.js");
  await import("./cholesky-inverse.test.js");
  await import("./maps.test.js");
  await import("./normals.test.js");
  await import("./workspace.test.js");
  await import("./tridiagonal-hard-cases.test.js");
}
