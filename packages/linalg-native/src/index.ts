export { createNativeBackend, type NativeOptions } from "./backend.js";
export { loadOpenBlas, type OpenBlas } from "./library.js";
