import { parentPort } from "node:worker_threads";
import { nodeEndpoint } from "./node-endpoint.js";
import { serve } from "./serve.js";

if (parentPort === null) throw new Error("this file runs in a worker thread");
serve(nodeEndpoint(parentPort));
