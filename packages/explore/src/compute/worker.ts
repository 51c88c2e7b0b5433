import { createWasmBackend, setBackend } from "@finitewidth/linalg";
import { serve } from "@finitewidth/workers";
import { tasks } from "./tasks.js";

// The same roundings as Node has: relaxed SIMD fuses products and sums where the machine can.
const simd = createWasmBackend({ variant: "simd" });
if (simd) setBackend(simd);

serve(globalThis as unknown as Parameters<typeof serve>[0], { tasks });
