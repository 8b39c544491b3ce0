/** What lies below a folder of pictures: pictures, captions beside them, tables, and everything that is ignored. */
import { readdir, realpath } from "node:fs/promises";
import { join } from "node:path";
import { DataError } from "../../errors.ts";
import { IMAGE_EXTENSIONS } from "../../image/index.ts";
import { statOf, systemReason } from "../../io/index.ts";

export interface Picture {
  /** From the folder, with / between its parts. */
  readonly path: string;
  /** The text file beside it that has the same name. */
  readonly caption: string | undefined;
}

export interface FolderListing {
  /** In code point order. */
  readonly pictures: readonly Picture[];
  /** Tables as the Hub's image folders have them: metadata.jsonl, metadata.csv, anywhere below. */
  readonly tables: readonly string[];
  /** Files and folders that are not read, and why. */
  readonly passed: readonly { readonly path: string; readonly reason: string }[];
}

/** What is offered to the decoder, which goes by the bytes: what it does not know is listed as bad, not ignored. */
export const PICTURES: ReadonlySet<string> = new Set([
  ...IMAGE_EXTENSIONS,
  "heic",
  "heif",
  "jp2",
  "j2k",
  "jxl",
  "ico",
  "pam",
]);
/** Whether a file is called as pictures are. */
export const isPicture = (path: string): boolean => PICTURES.has(/\.([^./]+)$/.exec(path)?.[1]?.toLowerCase() ?? "");
const CAPTION = /\.(txt|caption)$/i;
export const TABLE: RegExp = /^metadata\.(jsonl|csv)$/;
/** Folders that systems and programs leave in others. Names with a dot in front are hidden anyway. */
const SYSTEM =
  /^(__MACOSX|@eaDir|#recycle|@Recycle|\$RECYCLE\.BIN|System Volume Information|lost\+found|__pycache__)$/i;

const isHidden = (name: string): boolean => name.startsWith(".") || SYSTEM.test(name);

/**
 * Everything below a folder. Links to folders are followed, each folder once below a folder of the first level, so that a
 * loop ends. Throws DataError where the folder cannot be read, and where one below it cannot, unless `onUnreadable` takes that.
 */
export async function listFolder(
  root: string,
  onUnreadable?: (path: string, error: DataError) => void,
): Promise<FolderListing> {
  const files: string[] = [];
  const passed: { path: string; reason: string }[] = [];
  const read = async (path: string): ReturnType<typeof entriesOf> => {
    try {
      return await entriesOf(join(root, path));
    } catch (error) {
      if (path === "" || !onUnreadable || !(error instanceof DataError)) throw error;
      onUnreadable(path, error);
      return [];
    }
  };
  const walk = async (path: string, seen: Set<string>): Promise<void> => {
    for (const { name, kind } of await read(path)) {
      const at = path === "" ? name : `${path}/${name}`;
      if (isHidden(name)) passed.push({ path: at, reason: `a hidden or system ${kind} is no data` });
      else if (kind === "file") files.push(at);
      else if (kind === "folder") {
        const inside = path === "" ? new Set(seen) : seen;
        const real = await realpath(join(root, at));
        if (inside.has(real)) passed.push({ path: at, reason: "a link to a folder that is read already" });
        else await walk(at, inside.add(real));
      } else passed.push({ path: at, reason: kind });
    }
  };
  await walk("", new Set([await realpath(root).catch(() => root)]));
  return { ...sortOut(files), passed: passed.sort((a, b) => byCodePoint(a.path, b.path)) };

  function sortOut(all: readonly string[]): Pick<FolderListing, "pictures" | "tables"> {
    const captions = new Map(all.filter((path) => CAPTION.test(path)).map((path) => [stemOf(path), path]));
    const used = new Set<string>();
    const pictures: Picture[] = [];
    const tables: string[] = [];
    for (const path of [...all].sort(byCodePoint)) {
      if (isPicture(path)) {
        const caption = captions.get(stemOf(path));
        pictures.push({ path, caption });
        if (caption !== undefined) used.add(caption);
      } else if (TABLE.test(path.slice(path.lastIndexOf("/") + 1))) tables.push(path);
    }
    const known = new Set([...pictures.map(({ path }) => path), ...tables, ...used]);
    for (const path of all) if (!known.has(path)) passed.push({ path, reason: reasonOf(path) });
    return { pictures, tables };
  }
}

/** What stands in a folder, links followed. */
async function entriesOf(path: string): Promise<{ name: string; kind: string }[]> {
  const entries = await readdir(path, { withFileTypes: true }).catch((cause: NodeJS.ErrnoException) => {
    throw new DataError(`${path}: expected a folder, got ${systemReason(cause)}`, undefined, { cause });
  });
  return Promise.all(
    entries.map(async (entry) => {
      const { name } = entry;
      const found = entry.isSymbolicLink() ? await statOf(join(path, name)) : entry;
      if (found === undefined) return { name, kind: "a link to nothing" };
      if (found.isDirectory()) return { name, kind: "folder" };
      return { name, kind: found.isFile() ? "file" : "a pipe or a device" };
    }),
  );
}

function reasonOf(path: string): string {
  if (CAPTION.test(path)) return "a text without a picture of its name";
  const extension = /\.[^./]+$/.exec(path)?.[0];
  return extension === undefined ? "a file without an extension" : `${extension} is no picture`;
}

/** `a/b.c.png` → `a/b.c`. */
const stemOf = (path: string): string => path.replace(/\.[^./]+$/, "");

const byCodePoint = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
