/** What a template of the page says, without a browser. */
interface Template {
  readonly strings: readonly string[];
  readonly values: readonly unknown[];
}

/** A listener or property of an element, with the text that stands before it. */
interface Bound {
  readonly name: string;
  readonly before: string;
  readonly value: unknown;
}

const isTemplate = (value: unknown): value is Template => typeof value === "object" && value !== null && "strings" in value;

/** A template as text, listeners (`@name`), properties (`.name`) and flags (`?name`) aside. */
export class Read {
  text = "";
  readonly bound: Bound[] = [];

  constructor(template: unknown) {
    this.#add(template);
  }

  #add(value: unknown): void {
    if (Array.isArray(value)) for (const one of value) this.#add(one);
    else if (isTemplate(value))
      value.strings.forEach((part, i) => {
        const binding = /\s([@.?][\w-]+)="?$/.exec(part);
        this.text += binding ? part.slice(0, binding.index) : part;
        if (i === value.values.length) return;
        if (binding) this.bound.push({ name: binding[1]!, before: this.text, value: value.values[i] });
        else this.#add(part.endsWith("=") ? `"${String(value.values[i])}"` : value.values[i]);
      });
    else if (typeof value === "string" || typeof value === "number") this.text += String(value);
  }

  /** What is bound under a name, in order; `near`: only where the element begins with that. */
  all(name: string, near?: RegExp): unknown[] {
    return this.bound
      .filter((one) => one.name === name && (!near || near.test(one.before.slice(one.before.lastIndexOf("<")))))
      .map(({ value }) => value);
  }

  one<T = never>(name: string, near?: RegExp): T {
    const found = this.all(name, near);
    if (found.length !== 1) throw new Error(`${found.length} of ${name} near ${String(near)}`);
    return found[0] as T;
  }

  /** Elements of a name with their attributes and the text behind them, up to the next tag. */
  elements(tag: string): Readonly<Record<string, string>>[] {
    return [...this.text.matchAll(new RegExp(`<${tag}(?=[\\s>/])([^>]*)>([^<]*)`, "g"))].map(([, attributes, text]) => ({
      text: text!.replaceAll(/\s+/g, " ").trim(),
      ...Object.fromEntries(
        [...attributes!.matchAll(/([\w-]+)=("[^"]*"|[^\s"]*)/g)].map(([, key, value]) => [key!, value!.replaceAll('"', "")]),
      ),
    }));
  }
}

/** What an element of the page renders. */
export const rendered = (element: object): Read => new Read((element as { render(): unknown }).render());

/** Calls a listener and returns what the element tells: names of events and their details. */
export function told(element: EventTarget, names: readonly string[], action: () => unknown): [string, unknown][] {
  const heard: [string, unknown][] = [];
  const hear = (event: Event): void => void heard.push([event.type, (event as CustomEvent).detail]);
  for (const name of names) element.addEventListener(name, hear);
  action();
  for (const name of names) element.removeEventListener(name, hear);
  return heard;
}
