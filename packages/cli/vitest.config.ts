import { packageTests } from "../../tools/vitest.shared.ts";

// the longest of all, and the last: everything else must have been built; many wait for processes
export default packageTests(import.meta.url, { maxWorkers: 3 });
