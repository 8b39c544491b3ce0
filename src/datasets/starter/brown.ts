/** The Brown corpus (Francis and Kučera, form C: one tagged sentence a line) as plain sentences. */
import { type PackageFiles, readText } from "./tarball.ts";

export interface BrownSentence {
  readonly text: string;
  /** The file, such as "ca01". */
  readonly document: string;
  /** The genre's letter, a to r. */
  readonly genre: string;
}

/** All sentences, document by document. */
export function brownSentences(pack: PackageFiles): BrownSentence[] {
  const documents = [...pack.files.keys()].filter((path) => /^c[a-r]\d\d$/.test(path)).sort();
  return documents.flatMap((document) =>
    readText(pack, document)
      .split("\n")
      .map((line) => plainSentence(line))
      .filter((text) => /\p{L}/u.test(text))
      .map((text) => ({ text, document, genre: document[1]! })),
  );
}

/** A sentence without its tags, spaced and quoted as in print: "``/`` Why/wrb ?/. ?/. ''/''" → "“Why?”". */
export function plainSentence(tagged: string): string {
  const tokens = tagged
    .trim()
    .split(/\s+/)
    .map((token) => token.slice(0, token.lastIndexOf("/")));
  let text = "";
  let glue = true;
  let open = { double: false, single: false };
  for (const [i, token] of tokens.entries()) {
    // The corpus doubles the sign at the end of a question, an exclamation or a clause, and the point after "Jr.".
    if (/^[?!;:]$/.test(token) && token === tokens[i - 1]) continue;
    if (token === "." && text.endsWith(".")) continue;
    // Inches are written as a closing quotation mark, and once more as a token of their own.
    if (token === "" || (token === "''" && !open.double)) continue;
    const opens = token === "``" || (token === "'" && !open.single) || /^[([{]$/.test(token);
    const closes = token === "''" || (token === "'" && open.single) || /^[)\]},.;:?!]$/.test(token);
    if (token === "``" || token === "''") open = { ...open, double: opens };
    if (token === "'") open = { ...open, single: opens };
    text += (glue || closes ? "" : " ") + printed(token, opens);
    glue = opens;
  }
  // The corpus has points and commas after the quotation mark; in print they stand before it.
  return text
    .replace(/”([.,])/g, "$1”")
    .replace(/([.?!])\.”/g, "$1”")
    .trim();
}

function printed(token: string, opens: boolean): string {
  if (token === "``") return "“";
  if (token === "''") return "”";
  if (token === "'") return opens ? "‘" : "’";
  return token === "--" ? "—" : token.replaceAll("''", "″");
}
