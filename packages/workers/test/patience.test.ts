import { MessageChannel } from "node:worker_threads";
import * as Comlink from "comlink";
import { afterEach, describe, expect, it, vi } from "vitest";
import { serve } from "../src/index.js";
import { nodeEndpoint } from "../src/node-endpoint.js";
import type { WorkerApi } from "../src/protocol.js";

afterEach(() => void vi.useRealTimers());

describe("a plug-in whose module never ends to load in a worker", () => {
  it("is told after thirty seconds, in place of a run that waits for ever", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const { port1, port2 } = new MessageChannel();
    let asked: (() => void) | undefined;
    const loading = new Promise<void>((resolve) => (asked = resolve));
    serve(nodeEndpoint(port1), {
      load: () => {
        asked!();
        return new Promise(() => undefined);
      },
    });
    const answer = Comlink.wrap<WorkerApi>(nodeEndpoint(port2)).configure([{ name: "mine", module: "file:///mine.mjs" }]);
    await loading;
    vi.advanceTimersByTime(30_000);
    expect(await answer).toMatchObject({
      ok: false,
      error: { message: "plug-in mine: file:///mine.mjs cannot be imported in a worker (it has not loaded in 30 s)" },
    });
    port1.close();
    port2.close();
  });
});
