/** From what was written on a command line to pictures: files, folders, patterns, addresses, lists. */
import { isAbsolute } from "node:path";
import { isPicture, listFolder } from "../../data/sources/listing.ts";
import { DataError, FlavaError } from "../../errors.ts";
import { decodeUtf8, isUrl, localPath, openBytes, readLines, statOf } from "../../io/index.ts";
import { rowInput } from "./row.ts";
import type { BadInput, Input, Inputs } from "./types.ts";

/** How inputs are looked for. */
export interface ListOptions {
  /** Where `-` reads its list from. */
  readonly stdin?: AsyncIterable<Uint8Array> | undefined;
  readonly signal?: AbortSignal | undefined;
}

const LIST = /\.(jsonl|ndjson)$/i;
/** What makes a word a pattern, where no file is called so. */
const PATTERN = /[*?[\]{}]|[!+@]\(/;

/**
 * Lists what `words` name. Each is a file, a folder (all pictures below it), a pattern (`photos/*.jpg`), an http(s) address, a list
 * of JSON Lines with the fields `image` and `text`, or `-`: more such words on stdin, one a line or with NUL between them. What cannot
 * be listed is in `bad`. Nothing but lists is opened.
 */
export async function listInputs(words: readonly string[], options: ListOptions = {}): Promise<Inputs> {
  const found: Found = { inputs: [], bad: [], passed: { hidden: 0, others: 0 } };
  for (const word of words) {
    if (word === "-") for await (const line of stdinWords(options)) await listOne(line, found, options);
    else await listOne(word, found, options);
  }
  return found;
}

interface Found {
  readonly inputs: Input[];
  readonly bad: BadInput[];
  readonly passed: { hidden: number; others: number };
}

async function listOne(word: string, found: Found, options: ListOptions): Promise<void> {
  options.signal?.throwIfAborted();
  try {
    await expand(word, found, options);
  } catch (error) {
    if (!(error instanceof FlavaError)) throw error;
    found.bad.push({ key: word, reason: reasonOf(error, word) });
  }
}

async function expand(word: string, found: Found, options: ListOptions): Promise<void> {
  const location = localPath(word);
  if (isUrl(location)) {
    if (!URL.canParse(location)) throw new DataError(`${word}: expected an address, got one that is none`);
    if (LIST.test(new URL(location).pathname)) await listRows(location, found, options);
    else found.inputs.push({ key: word, image: location });
    return;
  }
  const there = await statOf(location);
  if (there?.isDirectory()) await listPictures(location, found);
  else if (there && LIST.test(location)) await listRows(location, found, options);
  else if (!there && PATTERN.test(location)) await listPattern(location, found);
  else found.inputs.push({ key: word, image: location }); // a file that is missing is told when it is read
}

async function listPictures(folder: string, found: Found): Promise<void> {
  const root = folder.replace(/(?<=.)\/+$/, "");
  const at = (path: string): string => (root === "/" ? `/${path}` : root === "." ? path : `${root}/${path}`);
  const { pictures, passed } = await listFolder(folder, (path, error) =>
    found.bad.push({ key: at(path), reason: reasonOf(error, at(path)) }),
  );
  for (const { path } of pictures) found.inputs.push({ key: at(path), image: at(path) });
  for (const { reason } of passed) found.passed[/hidden/.test(reason) ? "hidden" : "others"]++;
  if (pictures.length === 0)
    throw new DataError(`${folder}: expected pictures below this folder, found none (${passed.length} other files)`);
}

async function listPattern(pattern: string, found: Found): Promise<void> {
  const { glob } = await import("tinyglobby");
  const paths = await glob(pattern, { absolute: isAbsolute(pattern), expandDirectories: false });
  if (paths.length === 0)
    throw new DataError(`${pattern}: expected a file, a folder or a pattern that fits some file, found none`);
  const pictures = paths.filter(isPicture).sort((a, b) => (a < b ? -1 : 1));
  if (pictures.length === 0)
    throw new DataError(`${pattern}: expected pictures, found ${paths.length} files that are none`);
  found.passed.others += paths.length - pictures.length;
  for (const path of pictures) found.inputs.push({ key: path, image: path });
}

/** The rows of JSON Lines. A blank line is none; one that cannot be used is bad. */
async function listRows(location: string, found: Found, { signal }: ListOptions): Promise<void> {
  const file = await openBytes(location, { signal });
  let line = 0;
  let rows = 0;
  try {
    for await (const { bytes } of readLines(file)) {
      line++;
      const key = `${location}:${line}`;
      const text = decodeUtf8(bytes);
      if (text?.trim() === "") continue;
      rows++;
      const row = text === undefined ? "the line is not valid UTF-8" : rowInput(key, text, location);
      if (typeof row === "string") found.bad.push({ key, reason: row });
      else found.inputs.push(row);
    }
  } finally {
    await file.close();
  }
  if (rows === 0) throw new DataError(`${location}: expected lines of JSON, got none`);
}

async function* stdinWords({ stdin = process.stdin }: ListOptions): AsyncGenerator<string> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of stdin) {
    text += decoder.decode(chunk as Uint8Array, { stream: true });
    const words = text.split(text.includes("\u0000") ? "\u0000" : "\n");
    text = words.pop()!;
    yield* words.map(clean).filter(Boolean);
  }
  const last = clean(text + decoder.decode());
  if (last !== "") yield last;
}

const clean = (line: string): string => line.replace(/\r$/, "");

/** The message of an error without the place that it begins with and without its hint. */
export function reasonOf(error: Error, place: string): string {
  const line = error.message.split("\n")[0]!.replace(/^decodeImage: /, "");
  return line.startsWith(`${place}: `) ? line.slice(place.length + 2) : line;
}
