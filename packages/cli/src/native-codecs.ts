import { deflateRawSync, deflateSync as zlibDeflate, inflateRawSync } from "node:zlib";

/**
 * What the packages use of fflate, by Node's own zlib: a few times as fast, and no tables to make at the start. The one file of the command
 * has it in fflate's place (`tools/build-bundle.mjs`).
 */
interface Level {
  readonly level?: number;
}

const view = ({ buffer, byteOffset, byteLength }: Uint8Array): Uint8Array => new Uint8Array(buffer, byteOffset, byteLength);

export const zlibSync = (bytes: Uint8Array, { level = 6 }: Level = {}): Uint8Array => view(zlibDeflate(bytes, { level }));
export const deflateSync = (bytes: Uint8Array, { level = 6 }: Level = {}): Uint8Array => view(deflateRawSync(bytes, { level }));

/** Deflated bytes as they were; into `out` where it is given. @throws Error when they are damaged, or more than `out` holds. */
export function inflateSync(bytes: Uint8Array, { out }: { readonly out?: Uint8Array } = {}): Uint8Array {
  if (!out) return view(inflateRawSync(bytes));
  const content = inflateRawSync(bytes, { maxOutputLength: Math.max(1, out.length) });
  out.set(content);
  return out.subarray(0, content.length);
}

export const strToU8 = (text: string): Uint8Array => new TextEncoder().encode(text);
export const strFromU8 = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
