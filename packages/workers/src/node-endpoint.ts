import type { MessagePort, Worker } from "node:worker_threads";
import type * as Comlink from "comlink";

/** A worker thread or port of Node as a Comlink endpoint. (Comlink's own adapter is an untyped deep import.) */
export function nodeEndpoint(port: Worker | MessagePort): Comlink.Endpoint {
  const wrappers = new WeakMap<object, (data: unknown) => void>();
  return {
    postMessage: (message: unknown, transfer: Transferable[] = []) => port.postMessage(message, transfer as never),
    addEventListener(_type, listener) {
      const wrapper = (data: unknown): void => {
        const event = { data } as MessageEvent;
        if ("handleEvent" in listener) listener.handleEvent(event);
        else listener(event);
      };
      wrappers.set(listener, wrapper);
      port.on("message", wrapper);
    },
    removeEventListener(_type, listener) {
      const wrapper = wrappers.get(listener);
      if (wrapper) port.off("message", wrapper);
    },
  };
}
