import { main } from "./src/main.js";
const code = await main(process.argv.slice(2));
process.exitCode = typeof code === "number" ? code : 0;
