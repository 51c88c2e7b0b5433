import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeNpy, decodeNpz, encodeNpy, encodeNpz, posteriorFromNpz, posteriorToNpz } from "../src/npz.js";
import type { Posterior } from "../src/index.js";

const shapes = fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 0, maxLength: 4 });

describe("npy", () => {
  it("round trips any tensor bit for bit", () => {
    fc.assert(
      fc.property(shapes, fc.infiniteStream(fc.double()), (shape, numbers) => {
        const data = Float64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => numbers.next().value as number);
        const back = decodeNpy(encodeNpy({ data, shape }));
        expect(back.shape).toEqual(shape);
        expect(back.data.every((value, i) => Object.is(value, data[i]))).toBe(true);
      }),
    );
  });

  it("reads Fortran order and other number types", () => {
    // numpy: np.save(f, np.asfortranarray(np.arange(6, dtype='>i4').reshape(2, 3)))
    const header = "{'descr': '>i4', 'fortran_order': True, 'shape': (2, 3), }".padEnd(117) + "\n";
    const bytes = new Uint8Array(10 + header.length + 24);
    bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, header.length, 0]);
    bytes.set(new TextEncoder().encode(header), 10);
    [0, 3, 1, 4, 2, 5].forEach((value, i) => (bytes[10 + header.length + 4 * i + 3] = value));
    expect(decodeNpy(bytes)).toEqual({ data: Float64Array.of(0, 1, 2, 3, 4, 5), shape: [2, 3] });
  });

  it("names the file when it is damaged", () => {
    expect(() => decodeNpy(encodeNpy({ data: new Float64Array(8), shape: [8] }).subarray(0, 150), "x.npy")).toThrow(/^x\.npy: truncated/);
    expect(() => decodeNpz(new Uint8Array(20), "x.npz")).toThrow(/^x\.npz: not a readable/);
    expect(() => decodeNpy(new Uint8Array(20), "x.npy")).toThrow(/^x\.npy: not a \.npy file/);
  });
});

describe("posterior files", () => {
  const posterior: Posterior = {
    theory: "test",
    problem: {
      network: { type: "fully-connected" },
      inputs: { data: Float64Array.of(1, 2), shape: [1, 2] },
      targets: { data: Float64Array.of(3), shape: [1, 1] },
      temperature: 0.1,
      scaling: "standard",
    },
    options: { draws: 3 },
    state: { Q: { data: Float64Array.of(NaN, -0, Infinity), shape: [3, 1] } },
    solver: { converged: true, iterations: 3, residual: Infinity, jitter: 0 },
    orderParameter: 2,
    diagnostics: { list: [1, "a", null] },
    warnings: ["careful"],
    figures: [{ kind: "histogram", title: "t", label: "l", values: Float64Array.of(1, 2) }],
  };

  it("restores every number and leaves the rest as it was", () => {
    expect(posteriorFromNpz(posteriorToNpz(posterior))).toEqual(posterior);
  });

  it("refuses another file", () => {
    expect(() => posteriorFromNpz(encodeNpz({}), "a.npz")).toThrow(/a\.npz: expected a posterior/);
  });
});
