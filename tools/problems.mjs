// What a check finds wrong: gathered while it goes on, told at its end.
export const problems = [];

/** Runs one part of a check, and says how long it took and what it gave; its error is a problem. */
export async function attempt(what, action) {
  const started = performance.now();
  try {
    const found = await action();
    console.log(`✓ ${what} (${((performance.now() - started) / 1000).toFixed(1)} s)${found === undefined ? "" : `: ${found}`}`);
  } catch (error) {
    problems.push(`${what}: ${error.message}`);
  }
}

/** Tells all problems, or that all is well, and ends the process. */
export function finish(well) {
  for (const problem of problems) console.error(`✗ ${problem}`);
  console.log(problems.length === 0 ? well : `${problems.length} problems`);
  process.exit(problems.length === 0 ? 0 : 1);
}
