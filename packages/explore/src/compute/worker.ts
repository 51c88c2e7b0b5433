import { serve } from "@finitewidth/workers";
import { tasks } from "./tasks.js";

serve(globalThis as unknown as Parameters<typeof serve>[0], { tasks });
