export { createNativeBackend, nativeProblem, type NativeOptions } from "./backend.js";
