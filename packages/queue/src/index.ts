export { queueAddress, withoutSecrets, type QueueAddress } from "./address.js";
export { queueRun, type QueueRun, type QueueRunOptions } from "./queue-run.js";
export { serveQueue, type QueueWorker, type QueueWorkerOptions } from "./serve-queue.js";
