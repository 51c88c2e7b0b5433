import { FinitewidthError } from "@finitewidth/core";
import { deflateSync, inflateSync, strFromU8, strToU8 } from "fflate";
import { parseState, type ExploreState } from "./state.js";

/** Characters of a link that still travel through mail and chat. */
const longest = 30_000;

/** A state as the part of a link after `#`; undefined where own data make it too long to be one. */
export function encodeState(state: ExploreState): string | undefined {
  const bytes = deflateSync(strToU8(JSON.stringify(state)), { level: 9 });
  const text = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  const encoded = text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  return encoded.length <= longest ? `s=${encoded}` : undefined;
}

/** The state of a link, or of its part after `#`. @throws FinitewidthError (code "input") for links that hold none. */
export function decodeState(link: string): ExploreState {
  const encoded = /(?:^|[#&])s=([\w-]+)/.exec(link)?.[1];
  if (encoded === undefined) throw new FinitewidthError("link: holds no state", { code: "input", path: "link" });
  let value: unknown;
  try {
    const text = atob(encoded.replaceAll("-", "+").replaceAll("_", "/"));
    value = JSON.parse(strFromU8(inflateSync(Uint8Array.from(text, (character) => character.codePointAt(0)!))));
  } catch (cause) {
    throw new FinitewidthError("link: is damaged; was it copied whole?", { code: "input", path: "link" }, { cause });
  }
  return parseState(value);
}
