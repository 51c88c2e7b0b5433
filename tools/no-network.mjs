// Preloaded by the checks: whatever reaches for the network at run time fails.
import net from "node:net";

const refuse = () => {
  throw new Error("this example reached for the network");
};
globalThis.fetch = refuse;
net.Socket.prototype.connect = refuse;
