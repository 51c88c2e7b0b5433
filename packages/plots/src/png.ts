import { crc32 } from "@finitewidth/core/npz";
import { zlibSync } from "fflate";

/** Encodes 8-bit pixels (row-major) as PNG: RGB with 3 bytes each, or one byte each that looks up the colour in a palette of RGB. */
export function encodePng(width: number, height: number, pixels: Uint8Array, palette?: Uint8Array): Uint8Array {
  const line = (palette ? 1 : 3) * width;
  const raw = new Uint8Array(height * (1 + line));
  for (let y = 0; y < height; y++) raw.set(pixels.subarray(line * y, line * (y + 1)), y * (1 + line) + 1);
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([8, palette ? 3 : 2, 0, 0, 0], 8);
  const parts = [
    Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a),
    chunk("IHDR", header),
    ...(palette ? [chunk("PLTE", palette)] : []),
    chunk("IDAT", zlibSync(raw, { level: 1 })),
    chunk("IEND", new Uint8Array(0)),
  ];
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function chunk(type: string, data: Uint8Array): Uint8Array {
  const out = new Uint8Array(12 + data.length);
  const view = new DataView(out.buffer);
  view.setUint32(0, data.length);
  for (let i = 0; i < 4; i++) out[4 + i] = type.codePointAt(i)!;
  out.set(data, 8);
  view.setUint32(8 + data.length, crc32(out.subarray(4, 8 + data.length)));
  return out;
}

/** PNG as a data URL. */
export function pngDataUrl(width: number, height: number, pixels: Uint8Array, palette?: Uint8Array): string {
  return `data:image/png;base64,${base64(encodePng(width, height, pixels, palette))}`;
}

/** What Node has of its own where there is Node: a text of a byte a character costs more than the picture. */
function base64(bytes: Uint8Array): string {
  const { Buffer } = globalThis as { readonly Buffer?: { from(bytes: Uint8Array): { toString(encoding: "base64"): string } } };
  if (Buffer) return Buffer.from(bytes).toString("base64");
  let binary = "";
  for (let i = 0; i < bytes.length; i += 8192) binary += String.fromCodePoint(...bytes.subarray(i, i + 8192));
  return btoa(binary);
}
