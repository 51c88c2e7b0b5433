import { parseHTML } from "linkedom";

/** A document to draw figures in, on the server. */
export const createDocument = (): Document => parseHTML("<!doctype html><html><body></body></html>").document as unknown as Document;
