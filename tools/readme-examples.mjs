// TypeScript examples of Markdown pages.

/** Fences marked ts that import something, in order. */
export const examplesOf = (text) =>
  [...text.matchAll(/```ts\n([\s\S]*?)```/g)].map((match) => match[1]).filter((code) => /^import .* from "/m.test(code));

/** Our packages that an example imports. */
export const importsOf = (code) => [...new Set([...code.matchAll(/from "(@finitewidth\/[a-z-]+)/g)].map((match) => match[1]))];

/** Our packages named by the first `npm install` line. */
export const installLineOf = (text) => (/npm (?:install|i) ([^\n]*)/.exec(text)?.[1] ?? "").match(/@finitewidth\/[a-z-]+/g) ?? [];
