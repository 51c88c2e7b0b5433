import { parseHTML } from "linkedom";

export const document = parseHTML("<!doctype html><html><body></body></html>").document as unknown as Document;

export const number = (node: Element, name: string): number => Number(node.getAttribute(name));

/** Positions of the dots of a figure by what the pointer shows at them. */
export function dots(element: Element): { readonly tip: string; readonly x: number; readonly y: number }[] {
  return [...element.querySelectorAll("circle")].flatMap((circle) => {
    const tip = circle.querySelector("title")?.textContent;
    return tip === undefined || tip === null ? [] : [{ tip, x: number(circle, "cx"), y: number(circle, "cy") }];
  });
}
