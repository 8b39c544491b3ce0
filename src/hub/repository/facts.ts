/** What a Hub says of a repository and of its files before any byte is loaded. */
import { createHash } from "node:crypto";
import { z } from "zod";
import { FileError, NoSuchFile } from "../../errors.ts";
import { attempts, type HttpOptions } from "../../io/http-attempts.ts";
import { checkFileName, isCommit } from "./names.ts";
import { type Answer, ask, checkStatus, fileUrl, type Remote } from "./remote.ts";

/** One file of a repository. */
export interface RepositoryFile {
  /** Its path inside, with slashes. */
  readonly name: string;
  /** In bytes; undefined where the server did not say. */
  readonly size: number | undefined;
}

/** A repository at one commit. */
export interface Listing {
  readonly commit: string;
  /** Undefined for servers that answer for files only, as some mirrors do. */
  readonly files: readonly RepositoryFile[] | undefined;
}

const repositoryInfo = z.looseObject({
  sha: z.string(),
  siblings: z.array(z.looseObject({ rfilename: z.string(), size: z.int().nonnegative().nullish() })).optional(),
});

/** What a revision holds. Throws FileError where the repository or the revision is missing or closed. */
export async function listRepository(remote: Remote, revision: string, http: HttpOptions): Promise<Listing> {
  const url = `${remote.endpoint}/api/models/${remote.id}/revision/${encodeURIComponent(revision)}?blobs=true`;
  const body = await attempts(url, http, async ({ signal }) => {
    const answer = await ask(remote, url, { signal });
    const { response, said } = answer;
    if (response.status === 404 && !said.has("x-error-code")) return void (await response.body?.cancel());
    checkStatus(remote, url, answer);
    return response.text();
  });
  if (body === undefined) return { commit: await commitByFile(remote, revision, http), files: undefined };
  const info = repositoryInfo.safeParse(parseJson(body));
  if (!info.success || !isCommit(info.data.sha))
    throw new FileError(
      `${url}: expected a repository's commit and files as JSON, got ${JSON.stringify(body.slice(0, 60))}`,
    );
  const { sha, siblings } = info.data;
  return {
    commit: sha,
    files: siblings?.map(({ rfilename, size }) => ({ name: checkFileName(rfilename, url), size: size ?? undefined })),
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Every answer for a file names the commit, also the one that says there is none. */
async function commitByFile(remote: Remote, revision: string, http: HttpOptions): Promise<string> {
  const url = fileUrl(remote, revision, "config.json");
  return attempts(url, http, async ({ signal }) => {
    const answer = await ask(remote, url, { method: "HEAD", signal, enough: (said) => said.has("x-repo-commit") });
    const commit = answer.said.get("x-repo-commit") ?? "";
    if (isCommit(commit)) return commit;
    checkStatus(remote, url, answer, 302, 307);
    throw new FileError(
      `${url}: expected a commit in the header X-Repo-Commit, got ${JSON.stringify(commit)}`,
      "is this a Hub? see HF_ENDPOINT",
    );
  });
}

/** Which bytes a file has. */
export interface FileFacts {
  /** Names the bytes, and is the name of the blob: SHA-256 for large files, git's SHA-1 for small ones, else the server's own. */
  readonly etag: string;
  /** The server's own words, for If-Range; undefined where they name bytes only roughly (W/), or not on this server. */
  readonly strongEtag: string | undefined;
  readonly size: number | undefined;
}

/** Asks for a file without its bytes. Throws NoSuchFile where there is none. */
export async function factsOfFile(remote: Remote, commit: string, name: string, http: HttpOptions): Promise<FileFacts> {
  const url = fileUrl(remote, commit, name);
  return attempts(url, http, async ({ signal }) => {
    const enough = (said: Headers): boolean => said.has("x-linked-etag") && said.has("x-linked-size");
    const answer = await ask(remote, url, { method: "HEAD", signal, enough });
    if (answer.response.status === 404 && !answer.said.has("x-error-code"))
      throw new NoSuchFile(`${url}: there is no such file`);
    checkStatus(remote, url, answer, ...(enough(answer.said) ? [301, 302, 303, 307, 308] : []));
    return readFacts(url, commit, answer);
  });
}

function readFacts(url: string, commit: string, { response, said }: Answer): FileFacts {
  const other = said.get("x-repo-commit");
  if (other !== null && other !== commit)
    throw new FileError(`${url}: expected a file of this commit, got one of ${other}`);
  const linked = said.get("x-linked-etag");
  const raw = linked ?? response.headers.get("etag");
  if (raw === null) throw new FileError(`${url}: expected a header ETag, got none`, "is this a Hub? see HF_ENDPOINT");
  const length = said.get("x-linked-size") ?? (response.ok ? response.headers.get("content-length") : null);
  const size = length === null ? undefined : Number(length);
  if (size !== undefined && !(Number.isSafeInteger(size) && size >= 0))
    throw new FileError(`${url}: expected a length in bytes, got ${JSON.stringify(length)}`);
  return { etag: blobName(raw), strongEtag: linked === null && !raw.startsWith("W/") ? raw : undefined, size };
}

/** An etag as the name of a file: without quotes; hashed where it could lead out of its folder. */
export function blobName(etag: string): string {
  const plain = etag.replace(/^W\//, "").replace(/^"|"$/g, "");
  const safe = /^[A-Za-z0-9][A-Za-z0-9._=+-]{0,199}$/.test(plain) && !/\.(incomplete|lock)$/.test(plain);
  return safe ? plain : `etag-${createHash("sha256").update(plain).digest("hex")}`;
}
