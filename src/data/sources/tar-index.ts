/** From the entries of a tar archive to its samples: members with one name up to the first dot belong together. */
import { DataError } from "../../errors.ts";
import type { Bytes } from "../../io/bytes.ts";
import { nameOf, type TarEntry, tarEntries } from "./tar-entries.ts";

export interface TarGroup {
  /** Unique in the archive. */
  readonly id: string;
  /** `dir/name`, behind `#2/` in the second of several archives put together. */
  readonly name: string;
  /** By extension in small letters. */
  readonly members: Map<string, TarEntry>;
  /** Extensions that occur more than once. */
  readonly repeated: Set<string>;
  /** Where its first member begins. */
  readonly start: number;
  /** The end of those members that stand together with the first. */
  end: number;
}

/** Where an entry belongs. */
export interface Member {
  readonly id: string;
  readonly name: string;
  readonly extension: string;
}

export interface TarIndex {
  /** In the order of their first members. */
  readonly groups: readonly TarGroup[];
  /** Every entry by `placeOf`: what links point to. */
  readonly entries: ReadonlyMap<string, TarEntry>;
  /** Files that belong to no sample, and why. */
  readonly others: readonly { readonly name: string; readonly reason: string }[];
  /** Whether zero blocks mark the end of the archive. */
  readonly marked: boolean;
  /** The group of the last member. */
  readonly last: TarGroup | undefined;
}

const MAX_ENTRIES = 1 << 22;
const MAC = "a file that macOS adds (._name, .DS_Store, __MACOSX)";

/** Reads all headers, by jumps from one to the next, so that members may stand in any order. */
export async function indexTar(archive: Bytes): Promise<TarIndex> {
  const groups = new Map<string, TarGroup>();
  const entries = new Map<string, TarEntry>();
  const others: { name: string; reason: string }[] = [];
  let marked = false;
  let last: TarGroup | undefined;
  const onEnd = (mark: boolean): void => {
    marked = mark;
  };
  for await (const entry of tarEntries(archive, { onEnd })) {
    if (entries.size >= MAX_ENTRIES)
      throw new DataError(`${archive.name}: expected at most ${MAX_ENTRIES} entries, got more`, "split it into shards");
    entries.set(placeOf(entry.part, entry.id), entry);
    const member = memberOf(entry);
    if (typeof member === "string") others.push({ name: nameOf(entry.id), reason: member });
    if (member === undefined || typeof member === "string") continue;
    const known = groups.get(member.id);
    const group = known ?? newGroup(member, entry);
    if (known === undefined) groups.set(member.id, group);
    addMember(group, member, entry, known === undefined || last === group);
    last = group;
  }
  return { groups: [...groups.values()], entries, others, marked, last };
}

export const newGroup = ({ id, name }: Member, { start, end }: TarEntry): TarGroup => ({
  id,
  name,
  members: new Map(),
  repeated: new Set(),
  start,
  end,
});

/** `together`: it stands right behind the members that stand together with the first. */
export function addMember(group: TarGroup, { extension }: Member, entry: TarEntry, together: boolean): void {
  if (group.members.has(extension)) group.repeated.add(extension);
  group.members.set(extension, entry);
  if (together) group.end = entry.end;
}

export const placeOf = (part: number, id: string): string => `${part}:${id}`;

/** `a/b.c.jpg` belongs to `a/b` and has the extension `c.jpg`; undefined for a folder, a reason for what belongs to no sample. */
export function memberOf({ id, part, type }: TarEntry): Member | string | undefined {
  if (type === "folder") return undefined;
  const name = id.slice(id.lastIndexOf("/") + 1);
  if (id.startsWith("__MACOSX/") || name.startsWith("._") || name === ".DS_Store") return MAC;
  if (name.startsWith(".")) return "a hidden file";
  const dot = name.indexOf(".");
  if (dot < 0 || dot === name.length - 1) return "a file without an extension";
  const cut = id.length - name.length + dot;
  const prefix = id.slice(0, cut);
  return {
    id: placeOf(part, prefix),
    name: `${part > 0 ? `#${part + 1}/` : ""}${nameOf(prefix)}`,
    extension: nameOf(id.slice(cut + 1)).toLowerCase(),
  };
}

/** The file that an entry is or points to, or why there is none. */
export function resolveLink(entry: TarEntry, entries: ReadonlyMap<string, TarEntry>): TarEntry | string {
  let at = entry;
  for (let hops = 0; hops < 16; hops++) {
    if (at.type === "file") return at;
    if (at.type === "sparse file") return "a sparse file: pack it again without --sparse";
    if (at.type !== "hard link" && at.type !== "symbolic link") return `a ${at.type}`;
    const from = at.type === "symbolic link" ? at.id.slice(0, at.id.lastIndexOf("/") + 1) : "";
    const target = at.link.startsWith("/") ? undefined : inside(from + at.link);
    const next = target === undefined ? undefined : entries.get(placeOf(at.part, target));
    if (next === undefined)
      return `a link to ${nameOf(at.link)}, which is not there: pack it again with --dereference --hard-dereference`;
    at = next;
  }
  return "a link that leads back to itself";
}

/** Without `.` and `..`; undefined where it leaves the archive. */
function inside(path: string): string | undefined {
  const out: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") out.push(part);
    else if (out.pop() === undefined) return undefined;
  }
  return out.join("/");
}
