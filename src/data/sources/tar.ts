/** WebDataset tar shards: members with the same name up to the first dot are one sample. */
import { z } from "zod";
import { DataError } from "../../errors.ts";
import type { Bytes } from "../../io/bytes.ts";
import { isUrl, type Json, openBytes } from "../../io/index.ts";
import { type FileRecord, fileSamples, parseCursor, type SourceFile } from "./files.ts";
import { filesFingerprint } from "./fingerprint.ts";
import type { Reading, Source } from "./source.ts";
import { nameOf, type TarEntry, tarEntries } from "./tar-entries.ts";
import { addMember, indexTar, memberOf, newGroup, placeOf, type TarGroup } from "./tar-index.ts";
import { assemble, MAX_MEMBER_BYTES, type OpenTar } from "./tar-sample.ts";

const NO_END = "no zero blocks mark its end: if it was cut off, samples are missing";

const placeSchema = z.strictObject({
  byte: z.int().nonnegative(),
  /** Which of several archives put together. */
  part: z.int().nonnegative(),
});

type Place = z.infer<typeof placeSchema>;

const START: Place = { byte: 0, part: 0 };

/** The samples of tar shards, given by paths or URLs. Keys are `shard.tar/prefix`. */
export function tarSource(name: string, files: readonly string[]): Source {
  return {
    name,
    fingerprint: () => filesFingerprint(files),
    samples: (options = {}) => fileSamples(name, files, options, readTar),
  };
}

async function* readTar(file: SourceFile, from: Json, reading: Reading): AsyncGenerator<FileRecord> {
  const start = from === null ? START : parseCursor(file.path, from, placeSchema);
  const archive = await openBytes(file.path, reading);
  try {
    yield* isUrl(file.path) ? streamedGroups(file, archive, start) : indexedGroups(file, archive, start);
  } finally {
    await archive.close();
  }
}

/** Of a file: the members of a sample may stand anywhere. */
async function* indexedGroups(file: SourceFile, archive: Bytes, start: Place): AsyncGenerator<FileRecord> {
  const { groups, entries, others, marked, last } = await indexTar(archive);
  for (const { name, reason } of others) file.note(`${file.label}/${name}`, reason);
  if (!marked) file.note(file.label, NO_END);
  const tar = { ...file, archive, entries };
  for (const group of groups) {
    const cut = !marked && group === last ? missing(group, groups[0]!) : [];
    if (group.start >= start.byte) yield record(tar, group, cut);
  }
}

/**
 * From a server: everything is read once, in order, so the members of a sample must stand together. Going on behind a
 * cursor reads what lies before it, too: names that come back and targets of links are known from there.
 */
async function* streamedGroups(file: SourceFile, archive: Bytes, start: Place): AsyncGenerator<FileRecord> {
  const entries = new Map<string, TarEntry>();
  const seen = new Set<string>();
  const tar = { ...file, archive, entries };
  let marked = true;
  const onEnd = (mark: boolean): void => {
    marked = mark;
  };
  const wanted = (entry: TarEntry): boolean =>
    entry.start >= start.byte && entry.size <= MAX_MEMBER_BYTES && typeof memberOf(entry) === "object";
  let first: TarGroup | undefined;
  let group: TarGroup | undefined;
  for await (const entry of tarEntries(archive, { wanted, onEnd })) {
    entries.set(placeOf(entry.part, entry.id), { ...entry, body: undefined });
    const member = memberOf(entry);
    if (typeof member === "string") file.note(`${file.label}/${nameOf(entry.id)}`, member);
    if (member === undefined || typeof member === "string") continue;
    if (group?.id !== member.id) {
      if (group && group.start >= start.byte) yield record(tar, group);
      if (seen.has(member.id)) throw apart(archive, nameOf(entry.id));
      seen.add(member.id);
      group = newGroup(member, entry);
      first ??= { ...group, members: new Map() };
    }
    addMember(group, member, entry, true);
    if (first?.id === group.id) first.members.set(member.extension, { ...entry, body: undefined });
  }
  if (!marked) file.note(file.label, NO_END);
  if (group && group.start >= start.byte) yield record(tar, group, marked ? [] : missing(group, first!));
}

/** Extensions that the first sample has and this one lacks. */
const missing = (group: TarGroup, first: TarGroup): string[] =>
  [...first.members.keys()].filter((extension) => !group.members.has(extension));

const record = (tar: OpenTar, group: TarGroup, cut: readonly string[] = []): FileRecord => ({
  place: { byte: group.end, part: group.members.values().next().value!.part },
  load: () => assemble(tar, group, cut),
});

const apart = (archive: Bytes, name: string): DataError =>
  new DataError(
    `${archive.name}: expected the members of a sample together, got ${name} apart from the others of its name`,
    "over a network an archive is read in order: pack it again with tar --sort=name, or download it (files are read in any order)",
  );
