import { parentPort } from "node:worker_threads";
import { version } from "../version.js";
import type { Passed } from "./relay.js";
import { createServer } from "./server.js";

const port = parentPort!;
const pass = (passed: Passed): void => port.postMessage(passed, []);
const send = (message: object): void => pass({ line: JSON.stringify(message), settles: "result" in message || "error" in message });
const receive = createServer(send, () => pass({ settles: true }));
port.on("message", receive);
send({ protocol: 1, version, node: process.version });
