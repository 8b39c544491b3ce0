/** Names that come from people and from servers, checked before they become parts of paths and addresses. */
import { FileError } from "../../errors.ts";

/** A repository of the Hub: which, and of what. */
export interface RepositoryId {
  /** `org/name`, or `name` for the oldest ones. */
  readonly id: string;
  /** A branch, a tag or a commit, where the text named one. */
  readonly revision?: string | undefined;
}

const PART = String.raw`(?![.-])(?!.*(?:--|\.\.))[A-Za-z0-9._-]{1,96}(?<![.-])(?<!\.git)`;
const ID = new RegExp(`^(?:${PART.replace(".*", "[^/]*")}/)?${PART}$`);
const ADDRESS =
  /^(?:hf:\/\/|https?:\/\/[^/]+\/)(?:models\/)?([^/@?#]+\/[^/@?#]+)(?:@([^?#]+)|\/(?:tree|blob|resolve)\/([^/?#]+))?\/?(?:[?#].*)?$/;

/**
 * `org/name`, `org/name@revision`, `hf://org/name`, `https://huggingface.co/org/name/tree/revision` → its parts; undefined for what is
 * none of these.
 */
export function parseRepositoryId(text: string): RepositoryId | undefined {
  const address = ADDRESS.exec(text);
  if (address)
    return ID.test(address[1]!) ? { id: address[1]!, revision: decoded(address[2] ?? address[3]) } : undefined;
  const [id, revision] = text.split(/@(.+)/, 2);
  return ID.test(id!) && (revision === undefined || isRevision(revision)) ? { id: id!, revision } : undefined;
}

/** A revision in an address; one with a broken escape stays as it is, which is no name of a branch. */
function decoded(text: string | undefined): string | undefined {
  try {
    return text === undefined ? undefined : decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** What git lets a branch or tag be called, and what can be a path below `refs/`. */
export const isRevision = (text: string): boolean =>
  /^[^\s~^:?*[\\\p{Cc}]+$/u.test(text) && text.split("/").every((part) => isPart(part) && !part.endsWith(".lock"));

/** Whether a text is a full commit: 40 hexadecimal digits. */
export const isCommit = (text: string): boolean => /^[0-9a-f]{40}$/.test(text);

/** A name inside of a repository: slashes between its parts, and no way out. Throws FileError. */
export function checkFileName(name: string, where: string): string {
  if (name.length > 0 && name.length < 1024 && name.split("/").every(isPart)) return name;
  throw new FileError(
    `${where}: expected the name of a file inside, such as onnx/model.onnx, got ${JSON.stringify(name)}`,
  );
}

/** One part of a path that stays where it is on every system: Windows reads `\`, `:` and the names of devices. */
const isPart = (part: string): boolean =>
  part !== "" &&
  part !== "." &&
  part !== ".." &&
  !/[\\:\p{Cc}]/u.test(part) &&
  !/^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i.test(part);
