import type { Address } from "./protocol.js";

/** URLs that a worker must not import: of the scripts of this page, which would run there a second time. */
const pageScripts = (): string[] =>
  typeof document === "undefined" ? [] : Array.from(document.querySelectorAll<HTMLScriptElement>("script[src]"), ({ src }) => src);

/**
 * Modules that a bundler has put into one file with others: the URL that several plug-ins, this module or the page itself share names the
 * bundle, in which nothing can be found by URL.
 */
export function bundles(modules: readonly string[]): ReadonlySet<string> {
  const shared = modules.filter((url, i) => modules.indexOf(url) !== i);
  return new Set([...shared, ...pageScripts(), import.meta.url]);
}

/** Whether this package is part of a script of the page: the default worker, which imports it, would run that script again. */
export const isInPage = (): boolean => pageScripts().includes(import.meta.url);

/** Address of a plug-in or task, without a module where that is a bundle. */
export const addressOf = ({ name, module }: { readonly name: string; readonly module?: string }, bundled: ReadonlySet<string>): Address =>
  module === undefined || bundled.has(module) ? { name } : { name, module };
