/** Requests to a Hub: redirects followed by hand, so that the token reaches its own host only, and refusals as errors that say what to do. */
import { FileError, NoSuchFile } from "../../errors.ts";
import { Busy, RETRY_STATUS } from "../../io/http-attempts.ts";
import { DEFAULT_ENDPOINT } from "./environment.ts";

/** A Hub, and who asks. */
export interface Remote {
  /** Without a slash at its end. */
  readonly endpoint: string;
  readonly token: string | undefined;
  /** `org/name`. */
  readonly id: string;
}

/** An answer, and what was said of the file on the way to it. */
export interface Answer {
  readonly response: Response;
  /** The headers of the Hub, from the first server that named them: a storage host behind a redirect knows none of them. */
  readonly said: Headers;
}

interface Asked {
  readonly method?: "HEAD" | "GET";
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  /** Redirects to another host are not followed once the answer says this much. */
  readonly enough?: ((said: Headers) => boolean) | undefined;
}

const HUB_HEADERS = ["x-repo-commit", "x-linked-etag", "x-linked-size", "x-error-code", "x-error-message"];
const REDIRECT: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
const MAX_REDIRECTS = 10;

/** One request. Throws FileError where redirects go in circles or leave https, and what `fetch` throws. */
export async function ask(
  remote: Remote,
  url: string,
  { method = "GET", headers, signal, enough }: Asked,
): Promise<Answer> {
  const home = new URL(remote.endpoint).origin;
  const said = new Headers();
  let at = new URL(url);
  for (let hop = 0; ; hop++) {
    const own = at.origin === home && remote.token ? { authorization: `Bearer ${remote.token}` } : {};
    const sent = defined({ "accept-encoding": "identity", "user-agent": "flava", ...headers, ...own });
    const response = await fetch(at, { method, headers: sent, signal, redirect: "manual" });
    for (const name of HUB_HEADERS) if (!said.has(name)) copyHeader(name, response.headers, said);
    const location = response.headers.get("location");
    if (!REDIRECT.has(response.status) || location === null) return { response, said };
    const next = new URL(location, at);
    if (enough?.(said) && next.origin !== at.origin) return { response, said };
    await response.body?.cancel();
    if (hop === MAX_REDIRECTS)
      throw new FileError(`${url}: expected an answer, got more than ${MAX_REDIRECTS} redirects`);
    if (!/^https?:$/.test(next.protocol) || (at.protocol === "https:" && next.protocol === "http:"))
      throw new FileError(`${url}: expected a redirect to https, got one to ${next.origin}`);
    at = next;
  }
}

const defined = (headers: Readonly<Record<string, string | undefined>>): [string, string][] =>
  Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]));

function copyHeader(name: string, from: Headers, to: Headers): void {
  const value = from.get(name);
  if (value !== null) to.set(name, value);
}

/** The address of a file at a commit, or at a revision where no commit is known yet. */
export const fileUrl = ({ endpoint, id }: Remote, revision: string, name: string): string =>
  `${endpoint}/${id}/resolve/${encodeURIComponent(revision)}/${name.split("/").map(encodeURIComponent).join("/")}`;

/** Throws what a refusal means. Answers with status 200, 206 and the given ones pass. */
export function checkStatus(remote: Remote, url: string, { response, said }: Answer, ...fine: readonly number[]): void {
  const { status, statusText } = response;
  if (status === 200 || status === 206 || fine.includes(status)) return;
  const code = said.get("x-error-code") ?? "";
  const why = said.get("x-error-message") ?? statusText;
  const message = `${url}: expected status 200, got ${status} ${why}`.trimEnd();
  if (RETRY_STATUS.has(status)) throw new Busy(message, response);
  if (code === "EntryNotFound") throw new NoSuchFile(message);
  throw new FileError(message, helpWith(status, code, remote));
}

function helpWith(status: number, code: string, { endpoint, id, token }: Remote): string | undefined {
  const page = `${endpoint}/${id}`;
  const login = "set HF_TOKEN to a token that may read it, from https://huggingface.co/settings/tokens";
  if (code === "GatedRepo" || (status === 403 && token))
    return token
      ? `the token is known but has no access: open ${page} with its account and accept the conditions; a fine-grained token must also allow gated repositories`
      : `this repository asks for consent: accept its conditions at ${page}, then ${login}`;
  if (code === "RevisionNotFound") return "there is no such branch, tag or commit; without one, main is read";
  if (status === 401 && token && code !== "RepoNotFound")
    return `the token was refused: it may be mistyped or revoked; ${login}`;
  if (status === 401 || status === 403 || code === "RepoNotFound")
    return `there is no repository ${id}, or it is private: check the name; for a private one ${token ? "use a token with access" : login}`;
  if (status === 404 && endpoint !== DEFAULT_ENDPOINT)
    return `HF_ENDPOINT is ${endpoint}: it may not have this repository`;
  return undefined;
}
