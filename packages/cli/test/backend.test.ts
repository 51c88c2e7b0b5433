import { backend } from "@finitewidth/linalg";
import { createNativeBackend } from "@finitewidth/linalg-native";
import { describe, expect, it } from "vitest";
import { capture, runCommand, threePoints } from "./command.js";

const native = createNativeBackend();
const experiment = threePoints("erf", [
  "nngp",
  { method: "effective-action" },
  { method: "monte-carlo", chains: 2, draws: 100, warmup: 50 },
]);
const run = (...extra: string[]) => runCommand("run", experiment, ["--quiet", ...extra]);

describe("--backend", () => {
  it("is WebAssembly without a word, and with auto where there is no add-on", async () => {
    const { provenance } = (await run()).result;
    expect(provenance.backend).toMatch(/^wasm-/);
    const chosen = await run("--backend", "auto");
    expect(chosen.result.provenance.backend).toBe(native?.name ?? provenance.backend);
    expect(backend().name).toBe(provenance.backend);
  });

  it("refuses other words, and the add-on where it is not installed, before anything is read", async () => {
    const wrong = await capture(["run", "nowhere.json", "--backend", "blas"]);
    expect(wrong).toMatchObject({ status: 2, stderr: "--backend: expected auto, wasm or native, got blas\n" });
    if (native !== undefined) return;
    const missing = await capture(["run", "nowhere.json", "--backend", "native"]);
    expect(missing.status).toBe(2);
    expect(missing.stderr).toMatch(/^--backend: expected auto or wasm on this machine, got native: .* not installed/);
  });

  it.skipIf(native === undefined)(
    "uses the add-on in this thread and in workers, and gives WebAssembly's numbers to rounding",
    async () => {
      const plain = await run("--backend", "wasm");
      const [here, there] = [await run("--backend", "native"), await run("--backend", "native", "--workers", "2")];
      expect(here.result.provenance.backend).toBe(native!.name);
      for (const method of ["nngp", "effective-action"])
        expect(here.result.results[method].logEvidence).toBeCloseTo(plain.result.results[method].logEvidence, 10);
      expect(there.result.results["monte-carlo"].predictive).toEqual(here.result.results["monte-carlo"].predictive);
    },
  );
});
