import { createRegistry } from "@finitewidth/core";
import { afterEach, expect, it, vi } from "vitest";
import { openCompute } from "../src/session.js";

afterEach(() => vi.unstubAllGlobals());

it("says when threads cannot share large matrices, and nothing of small ones", async () => {
  vi.stubGlobal("SharedArrayBuffer", undefined);
  const told: string[] = [];
  const machine = {
    registry: createRegistry([]),
    seed: 1,
    workers: 2,
    signal: new AbortController().signal,
    onProgress: () => undefined,
    onFallback: (reason: string) => void told.push(reason),
  };
  for (const points of [20, 600]) (await openCompute({ ...machine, points })).close();
  expect(told).toEqual(["large matrices, because memory of WebAssembly cannot be shared here"]);
});
