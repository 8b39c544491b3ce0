/** The pages of a package index: what files a project has (PEP 691, JSON; PEP 503, HTML), and wheels that lie in folders. */
import { readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { z } from "zod";
import { FileError } from "../errors.ts";
import { attempts, Busy, type HttpOptions, messageOf, RETRY_STATUS } from "../io/http-attempts.ts";
import { isUrl, statOf } from "../io/index.ts";
import { type Address, addressOf, masked, plain } from "./credentials.ts";
import type { PipConfig } from "./pip-config.ts";
import { normalName } from "./wheel-name.ts";

/** One file of a project. */
export interface IndexFile {
  readonly file: string;
  /** https:, http: or file:. */
  readonly address: Address;
  readonly sha256: string | undefined;
  /** In bytes, where the index says it. */
  readonly size: number | undefined;
  /** Withdrawn by who made it: only taken when asked for by its version. */
  readonly yanked: boolean;
}

/** What is asked with. */
export interface Asking {
  readonly pip: PipConfig;
  readonly http: HttpOptions;
}

/** Pages are megabytes at most; more is something else. */
const MAX_PAGE_BYTES = 64 * 2 ** 20;

const ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.2, text/html; q=0.01";

/**
 * The files of a project in all indexes and folders. An index that does not answer is noted and left out where another has the project.
 * Throws FileError where one does not answer and none of the others has it.
 */
export async function projectFiles(project: string, asking: Asking): Promise<IndexFile[]> {
  const { pip, http } = asking;
  const places = [
    ...pip.findLinks.map((place) => () => linkedFiles(place, asking)),
    ...pip.indexes.map((index) => () => indexFiles(index, project, asking)),
  ];
  const failures: unknown[] = [];
  const found: IndexFile[] = [];
  for (const look of places)
    try {
      found.push(...((await look()) ?? []).filter(({ file }) => isOf(project, file)));
    } catch (error) {
      http.signal?.throwIfAborted();
      failures.push(error);
    }
  if (found.length === 0 && failures.length > 0) throw failures[0];
  for (const failure of failures) http.note?.(`left out: ${messageOf(failure).split("\n")[0]}`);
  return found;
}

/** Where projects are looked for, in words. */
export const askedPlaces = ({ findLinks, indexes }: PipConfig): string =>
  [...findLinks, ...indexes].map(shown).join(", ") || "any index: pip is told to use none (no-index)";

const isOf = (project: string, file: string): boolean => normalName(file.split("-")[0]!) === normalName(project);

/** A place for people: without credentials. */
const shown = (place: string): string =>
  isUrl(place) && URL.canParse(place) ? addressOf(place, undefined, () => "").url : masked(place);

/** Undefined where the index has no such project. */
async function indexFiles(index: string, project: string, asking: Asking): Promise<IndexFile[] | undefined> {
  const base = addressOf(index);
  return pageFiles({ ...base, url: `${base.url.replace(/\/+$/, "")}/${normalName(project)}/` }, asking);
}

/** Wheels in a folder, or those that a page links to. */
async function linkedFiles(place: string, asking: Asking): Promise<IndexFile[] | undefined> {
  if (/^https?:/i.test(place)) return pageFiles(addressOf(place), asking);
  const path = /^file:/i.test(place) ? fileURLToPath(place) : resolve(place);
  if (!(await statOf(path))?.isDirectory()) return undefined;
  const names = (await readdir(path)).filter((name) => name.endsWith(".whl"));
  return Promise.all(
    names.map(async (file) => {
      const full = join(path, file);
      const address = { url: pathToFileURL(full).href, headers: {} };
      return { file, address, sha256: undefined, size: (await statOf(full))?.size, yanked: false };
    }),
  );
}

async function pageFiles(page: Address, { pip, http }: Asking): Promise<IndexFile[] | undefined> {
  checkTrusted(page.url, pip);
  const answer = await attempts(page.url, http, async ({ signal }) => {
    const headers = { accept: ACCEPT, "user-agent": "flava", ...page.headers };
    const response = await fetch(page.url, { headers, signal });
    if (response.status === 404 || response.status === 410) return void (await response.body?.cancel());
    if (!response.ok) {
      await response.body?.cancel();
      throw refusal(page.url, response);
    }
    if (response.redirected) checkTrusted(response.url, pip);
    const { url, text } = { url: response.url || page.url, text: await readText(page.url, response) };
    return { url, text, isJson: /\bjson\b/i.test(response.headers.get("content-type") ?? "") };
  }).catch((error: unknown) => Promise.reject(withHelp(page.url, error, pip)));
  if (answer === undefined) return undefined;
  const left: string[] = [];
  const resolve = (url: string, base = answer.url): Address | undefined => {
    const full = URL.canParse(url, base) ? new URL(url, base).href : undefined;
    if (full !== undefined && isTrusted(full, pip)) return addressOf(full, page);
    left.push(masked(full ?? url));
  };
  const files = answer.isJson
    ? parseJsonPage(page.url, answer.text, resolve)
    : parseHtmlPage(answer.url, answer.text, resolve);
  if (left.length > 0)
    http.note?.(`${page.url}: ${left.length} files left out: expected addresses with https, got ${left[0]}`);
  return files;
}

function checkTrusted(url: string, pip: PipConfig): void {
  if (!isTrusted(url, pip))
    throw new FileError(
      `${url}: expected https`,
      `if you trust it all the same: PIP_TRUSTED_HOST=${new URL(url).host}`,
    );
}

/** As pip: what is not https must be on this computer, or named as trusted. */
function isTrusted(url: string, { trustedHosts }: PipConfig): boolean {
  const { protocol, hostname, host } = new URL(url);
  if (protocol !== "http:") return protocol === "https:";
  const isHere = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname);
  return isHere || trustedHosts.includes(hostname) || trustedHosts.includes(host);
}

function refusal(url: string, response: Response): Error {
  const message = `${url}: expected status 200, got ${response.status} ${response.statusText}`;
  if (RETRY_STATUS.has(response.status)) return new Busy(message, response);
  const asks = response.status === 401 || response.status === 403;
  return new FileError(
    message,
    asks ? "give credentials in the index's address (https://USER:TOKEN@HOST/simple) or in ~/.netrc" : undefined,
  );
}

/** What to do where the network itself refuses. */
export function withHelp(url: string, error: unknown, { cert, proxy }: PipConfig): unknown {
  if (!(error instanceof FileError) || error.help !== undefined || error.cause === undefined) return error;
  const why = messageOf(error.cause);
  const [certificate, unreachable] = [/certificate|self-signed|issuer/i, /ENOTFOUND|EAI_AGAIN|ECONN|timeout|no data/i];
  const proxied = proxy || process.env.HTTPS_PROXY || process.env.https_proxy;
  const help = certificate.test(why)
    ? `Node reads certificates from NODE_EXTRA_CA_CERTS${cert ? `, pip from ${cert}: set both to one file` : ""}`
    : unreachable.test(why) && proxied
      ? "Node uses a proxy from version 24 on: HTTPS_PROXY=… NODE_USE_ENV_PROXY=1"
      : `${new URL(url).host} cannot be reached from here: name a mirror with PIP_INDEX_URL, or a folder of wheels with PIP_FIND_LINKS`;
  return new FileError(error.message, help, { cause: error.cause });
}

async function readText(url: string, response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > MAX_PAGE_BYTES) throw new FileError(`${url}: expected a page of an index, got more than 64 MiB`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

const PAGE = z.looseObject({
  files: z.array(
    z.looseObject({
      filename: z.string(),
      url: z.string(),
      hashes: z.record(z.string(), z.string()).default({}),
      size: z.int().nonnegative().nullish(),
      yanked: z.union([z.boolean(), z.string()]).default(false),
    }),
  ),
});

/**
 * An address on a page as one that can be asked for, undefined where it cannot; the index's credentials go to its own host alone, also
 * after a redirect.
 */
type Resolve = (url: string, base?: string) => Address | undefined;

function parseJsonPage(page: string, text: string, resolve: Resolve): IndexFile[] {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {} // said below
  const { success, data } = PAGE.safeParse(json);
  if (!success)
    throw new FileError(
      `${page}: expected an index's page of files (PEP 691), got ${JSON.stringify(text.slice(0, 60))}`,
    );
  return data.files.flatMap(({ filename, url, hashes, size, yanked }) => {
    const address = resolve(url);
    const sha256 = checkedHash(hashes.sha256);
    return address ? [{ file: filename, address, sha256, size: size ?? undefined, yanked: yanked !== false }] : [];
  });
}

const checkedHash = (hash: string | undefined): string | undefined =>
  hash !== undefined && /^[0-9a-f]{64}$/i.test(hash) ? hash.toLowerCase() : undefined;

/** Anchors of a page: the hash is behind the address, `#sha256=…`. */
function parseHtmlPage(page: string, html: string, resolve: Resolve): IndexFile[] {
  const base = /<base\b[^>]*\bhref\s*=\s*["']?([^"'\s>]+)/i.exec(html)?.[1];
  const from = base !== undefined && URL.canParse(unescaped(base), page) ? new URL(unescaped(base), page).href : page;
  return [...html.matchAll(/<a\b([^>]*)>/gi)].flatMap(([, attributes]) => {
    const href = /\bhref\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+))/i.exec(attributes!);
    const target = href?.[1] ?? href?.[2] ?? href?.[3];
    if (target === undefined || !URL.canParse(unescaped(target), from)) return [];
    const url = new URL(unescaped(target), from);
    const hash = /^#sha256=([0-9a-f]{64})/i.exec(url.hash)?.[1];
    url.hash = "";
    const file = plain(url.pathname.split("/").at(-1)!);
    const address = file.endsWith(".whl") ? resolve(url.href) : undefined;
    const yanked = /\bdata-yanked\b/i.test(attributes!);
    return address ? [{ file, address, sha256: checkedHash(hash), size: undefined, yanked }] : [];
  });
}

const ENTITIES: Readonly<Record<string, string>> = {
  amp: "&",
  quot: '"',
  apos: "'",
  lt: "<",
  gt: ">",
  "#38": "&",
  "#39": "'",
  "#43": "+",
  "#x2B": "+",
};
const unescaped = (text: string): string => text.replace(/&(#?\w+);/g, (all, name: string) => ENTITIES[name] ?? all);
