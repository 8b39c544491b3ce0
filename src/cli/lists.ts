/** Lists that people keep in files or write after an option: texts, labels, templates. */
import { readFile } from "node:fs/promises";
import { ConfigError, DataError, FileError } from "../errors.ts";
import { decodeUtf8, statOf, systemReason } from "../io/index.ts";

/** The lines of a text file that are not blank. Throws FileError, DataError. */
export async function readLinesOf(path: string): Promise<{ readonly line: number; readonly text: string }[]> {
  const bytes = await readFile(path).catch((cause: NodeJS.ErrnoException) => {
    throw new FileError(`${path}: expected a file, got ${systemReason(cause)}`, undefined, { cause });
  });
  const all = decodeUtf8(bytes);
  if (all === undefined || all.includes("\u0000"))
    throw new DataError(`${path}: expected lines of UTF-8 text, got bytes`);
  return all
    .split(/\r?\n/)
    .map((text, i) => ({ line: i + 1, text: text.trim() }))
    .filter(({ text }) => text !== "");
}

/** Labels from `a,b,c`, or from a file with one a line or a JSON list. Throws FileError, DataError, ConfigError. */
export async function readLabels(given: string): Promise<string[]> {
  const labels = await labelsOf(given);
  const seen = new Set<string>();
  const twice = labels.find((label) => seen.size === seen.add(label).size);
  if (twice !== undefined) throw new DataError(`--labels ${given}: expected each label once, got "${twice}" twice`);
  if (labels.length < 2) throw new DataError(`--labels ${given}: expected two labels or more, got ${labels.length}`);
  return labels;
}

async function labelsOf(given: string): Promise<string[]> {
  if ((await statOf(given))?.isFile()) {
    const lines = (await readLinesOf(given)).map(({ text }) => text);
    return /^[[{]/.test(lines[0] ?? "") ? parseList(given, lines.join("\n")) : lines;
  }
  const labels = given
    .split(",")
    .map((label) => label.trim())
    .filter(Boolean);
  if (labels.length < 2 || /\.(txt|json|csv|tsv)$/i.test(given))
    throw new ConfigError(`--labels ${given}: expected a file or labels as in red,green,blue; there is no such file`);
  return labels;
}

function parseList(path: string, json: string): string[] {
  try {
    const list: unknown = JSON.parse(json);
    if (Array.isArray(list) && list.every((label) => typeof label === "string" && label.trim() !== ""))
      return list.map((label: string) => label.trim());
  } catch {} // said below
  throw new DataError(`${path}: expected a JSON list of labels, or a label on each line`);
}

/** Where the label goes, in our spelling and in those of others' files. */
const PLACE = /\{(c|label|class)?\}/g;

/** Templates of captions from a file, `{}` where the label goes. Throws FileError, DataError. */
export async function readTemplates(path: string): Promise<string[]> {
  const lines = await readLinesOf(path);
  const templates = lines.map(({ line, text }) => {
    if (!text.match(PLACE)) throw new DataError(`${path}:${line}: expected {} where the label goes, got "${text}"`);
    return text.replace(PLACE, "{}");
  });
  if (templates.length === 0) throw new DataError(`${path}: expected a template on each line, got none`);
  return templates;
}
