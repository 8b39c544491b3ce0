/** HTML with every inserted text escaped: html`<p>${text}</p>`. */

/** Markup that needs no escaping. */
export interface Html {
  readonly markup: string;
}

type Inserted = string | number | Html | undefined | false | readonly Inserted[];

/** Markup that is inserted without escaping. */
export const raw = (markup: string): Html => ({ markup });

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Text in which no character has a meaning in HTML. */
export const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (c) => ESCAPES[c]!);

const insert = (value: Inserted): string => {
  if (value === undefined || value === false) return "";
  if (typeof value === "object") return "markup" in value ? value.markup : value.map(insert).join("");
  return escapeHtml(String(value));
};

/** A template of HTML: inserted strings are escaped, markup made by `html` is not. */
export function html(parts: TemplateStringsArray, ...values: readonly Inserted[]): Html {
  return raw(parts.reduce((text, part, i) => text + insert(values[i - 1]) + part));
}
