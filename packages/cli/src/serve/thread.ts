import { parentPort } from "node:worker_threads";
import { version } from "../version.js";
import { createServer } from "./server.js";

const port = parentPort!;
const send = (message: unknown): void => port.postMessage(JSON.stringify(message), []);
const receive = createServer(send);
port.on("message", receive);
send({ protocol: 1, version, node: process.version });
