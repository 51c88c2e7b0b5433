import { parentPort, workerData } from "node:worker_threads";
import { FinitewidthError } from "@finitewidth/core";
import type { Message } from "./launch.js";
import { main } from "./main.js";

const { argv, isTTY } = workerData as { readonly argv: readonly string[]; readonly isTTY: boolean };
const port = parentPort!;
const tell = (message: Message): void => port.postMessage(message, []);
const controller = new AbortController();
port.on("message", () => {
  tell({ kind: "heard" });
  controller.abort(new FinitewidthError("interrupted", { code: "worker" }));
});
port.unref();

async function command(): Promise<void> {
  const status = await main(argv, {
    signal: controller.signal,
    stderr: { isTTY, write: (text) => tell({ kind: "said", text }) },
    onOpen: (folder) => tell({ kind: "open", folder }),
    onFinished: (done, total) => tell({ kind: "finished", done, total }),
  });
  for (const stream of [process.stdout, process.stderr]) await new Promise((resolve) => stream.write("", resolve));
  tell({ kind: "status", status });
  // a timer or a socket that a plug-in left open would keep the thread
  process.exit();
}

/** Settles when the command cannot end any more: an error is the thread's. */
export const finished = command();
