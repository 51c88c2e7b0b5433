export { createOpenBlasBackend, type OpenBlasOptions } from "./backend.js";
export { loadOpenBlas, type OpenBlas } from "./library.js";
