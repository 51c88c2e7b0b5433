import { describe, expect, it } from "vitest";
import { normalBlockLength, setBackend, streamNormals } from "../src/index.js";
import { philox } from "../src/reference/normals.js";
import { availableBackends } from "./backends.js";

const hex = (words: readonly number[]) => words.map((value) => value.toString(16).padStart(8, "0")).join(" ");

describe("philox", () => {
  it("gives the published answers (Random123 1.09, kat_vectors)", () => {
    expect(hex(philox([0, 0, 0, 0], [0, 0]))).toBe("6627e8d5 e169c58d bc57ac4c 9b00dbd8");
    expect(hex(philox([0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff], [0xffffffff, 0xffffffff]))).toBe(
      "408f276d 41c83b0e a20bc7c6 6d5451fd",
    );
    expect(hex(philox([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0]))).toBe(
      "d16cfe09 94fdcceb 5001e420 24126ea1",
    );
  });
});

describe("streamNormals", () => {
  it("gives the same bits from every backend", () => {
    const draws = availableBackends().map((kernels) => {
      const previous = setBackend(kernels);
      try {
        return [streamNormals(20_000, [1, 2, 3]), streamNormals(5000, [0xffffffff, 0, 7], 123_456)];
      } finally {
        setBackend(previous);
      }
    });
    for (const draw of draws) expect(draw).toEqual(draws[0]);
  });
  it("addresses any block, and separates keys and blocks", () => {
    const all = streamNormals(3 * normalBlockLength, [5, 0, 0]);
    expect(streamNormals(normalBlockLength, [5, 0, 0], 2)).toEqual(all.slice(2 * normalBlockLength));
    expect(streamNormals(10, [5, 0, 0])).toEqual(all.slice(0, 10));
    const firsts = [
      [5, 0, 0],
      [0, 5, 0],
      [0, 0, 5],
      [5, 0, 1],
    ].map((key) => streamNormals(1, key as [number, number, number])[0]);
    expect(new Set([...firsts, all[normalBlockLength]]).size).toBe(5);
  });
  it("has the moments and tail probabilities of a standard normal within 5 standard errors", () => {
    const n = 1_000_000;
    const x = streamNormals(n, [2026, 1, 1]);
    const mean = (f: (value: number) => number) => {
      let sum = 0;
      for (let i = 0; i < n; i++) sum += f(x[i]!);
      return sum / n;
    };
    const expectWithin = (value: number, expected: number, variance: number) =>
      expect(Math.abs(value - expected)).toBeLessThan(5 * Math.sqrt(variance / n));
    expectWithin(
      mean((v) => v),
      0,
      1,
    );
    expectWithin(
      mean((v) => v ** 2),
      1,
      2,
    );
    expectWithin(
      mean((v) => v ** 3),
      0,
      15,
    );
    expectWithin(
      mean((v) => v ** 4),
      3,
      96,
    );
    expectWithin(
      mean((v) => v ** 6),
      15,
      10_395 - 225,
    );
    // P(|x| > 1), > 3 and beyond the bottom layer of the ziggurat
    for (const [limit, probability] of [
      [1, 0.31731050786291415],
      [3, 0.0026997960632601866],
      [3.6541528853610088, 0.00025803],
    ] as const) {
      expectWithin(
        mean((v) => (Math.abs(v) > limit ? 1 : 0)),
        probability,
        probability,
      );
    }
    let lag = 0;
    for (let i = 1; i < n; i++) lag += x[i]! * x[i - 1]!;
    expectWithin(lag / n, 0, 1);
  });
  it("refuses keys that are not 32-bit integers", () => {
    expect(() => streamNormals(10, [1.5, 0, 0])).toThrow(/key\[0\]/);
    expect(() => streamNormals(10, [0, -1, 0])).toThrow(/key\[1\]/);
    expect(() => streamNormals(10, [0, 0, 0], 2 ** 32)).toThrow(/firstBlock/);
    // the third block would be the first of all again
    expect(() => streamNormals(3 * 4096, [0, 0, 0], 2 ** 32 - 2)).toThrow(/firstBlock/);
    expect(() => streamNormals(-1, [0, 0, 0])).toThrow(/count/);
  });
});
