export { createNativeBackend, type NativeOptions } from "./backend.js";
