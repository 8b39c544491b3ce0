/** What the operating system refused, as a sentence with the place and the reason (Node). */
import { FileError } from "../errors.ts";

const FULL: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);
const HELP: Readonly<Record<string, string>> = {
  EROFS: "the file system is read-only; choose another place",
  EACCES: "choose a place that this user may use",
  EPERM: "choose a place that this user may use",
  ENOTEMPTY: "something is there already; remove it, or choose another place",
  EMFILE: "the process has too many files open; see ulimit -n",
};

/** Why the system refused, in its own words: `ENOENT: no such file or directory`. */
export function systemReason({ code, syscall, message }: NodeJS.ErrnoException): string {
  if (code === undefined || syscall === undefined) return message;
  return message.split(",")[0]!.replace(`${syscall} `, ""); // "EACCES: permission denied, open '/x'", "write EPIPE"
}

const isSystemError = (error: unknown): error is NodeJS.ErrnoException & { code: string; syscall: string } =>
  error instanceof Error && "code" in error && "syscall" in error;

/** A full disk and its kin, met while `path` was written, as FileError; anything that is not about the file system as it is. */
export function writeError(path: string, error: unknown, written = 0): unknown {
  if (!isSystemError(error)) return error;
  const { code, syscall } = error;
  if (FULL.has(code))
    return new FileError(
      `${path}: the disk is full (${code} after ${written} bytes)`,
      "free some space, or choose another folder; what was saved before is untouched",
      { cause: error },
    );
  const message = `${path}: expected a place that can be written, got ${code} (${syscall})`;
  return new FileError(message, HELP[code], { cause: error });
}

/** The same for an error whose place nobody named: the last resort, where failures are printed. */
export function systemError(error: unknown): unknown {
  if (!isSystemError(error)) return error;
  const { code, syscall, path = "the system" } = error;
  if (FULL.has(code)) return writeError(path, error);
  return new FileError(`${path}: expected ${syscall} to succeed, got ${systemReason(error)}`, HELP[code], {
    cause: error,
  });
}
