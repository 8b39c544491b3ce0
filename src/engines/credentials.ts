/** Who asks an index: credentials of its address, or those that ~/.netrc has for its host, as pip looks for them. */
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { FileError } from "../errors.ts";
import { decodeUtf8 } from "../io/index.ts";

/** An address without what is secret in it, and the header that says who asks. */
export interface Address {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * Takes credentials out of an address; `like` is the index that named it, whose credentials count on its own host too. Throws FileError for
 * what is no address.
 */
export function addressOf(text: string, like?: Address, netrc: () => string = readNetrc): Address {
  if (!URL.canParse(text) || !/^(https?|file):$/.test(new URL(text).protocol))
    throw new FileError(
      `${masked(text)}: expected the address of an index, as https://HOST/simple`,
      "look at --index-url, PIP_INDEX_URL, PIP_EXTRA_INDEX_URL and pip.conf; what is special in a password is written as %40",
    );
  const url = new URL(text);
  const own = url.username !== "" || url.password !== "";
  const [user, password] = [plain(url.username), plain(url.password)];
  url.username = "";
  url.password = "";
  const bare = { url: url.href };
  if (own) return { ...bare, headers: basic(user, password) };
  if (like && new URL(like.url).host === url.host) return { ...bare, headers: like.headers };
  const entry = parseNetrc(netrc()).find(({ host }) => host === undefined || host === url.hostname);
  return { ...bare, headers: entry ? basic(entry.login, entry.password) : {} };
}

/** Without what may be a secret in what is no address. */
export const masked = (text: string): string => text.replace(/^([^/]*\/\/|).*@/, "$1…@");

/** With `%40` as `@`; what is no such code stays. */
export const plain = (text: string): string =>
  text.replace(/(?:%[\da-f]{2})+/gi, (codes) => decodeUtf8(Buffer.from(codes.replaceAll("%", ""), "hex")) ?? codes);

const basic = (user: string, password: string): { authorization: string } => ({
  authorization: `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`,
});

function readNetrc(): string {
  for (const path of [process.env.NETRC, join(homedir(), ".netrc"), join(homedir(), "_netrc")]) {
    try {
      if (path) return readFileSync(path, "utf8");
    } catch {} // the next one
  }
  return "";
}

interface Entry {
  /** Undefined: any host. */
  readonly host: string | undefined;
  readonly login: string;
  readonly password: string;
}

/** `machine HOST login USER password WORD`, over any number of lines; `default` at the end. */
function parseNetrc(text: string): Entry[] {
  const entries: { host: string | undefined; login: string; password: string }[] = [];
  const words = text.replace(/^\s*#.*$/gm, "").match(/"[^"]*"|\S+/g) ?? [];
  const next = words.map((word) => word.replace(/^"(.*)"$/, "$1"))[Symbol.iterator]();
  for (const word of next) {
    if (word === "machine") entries.push({ host: next.next().value, login: "", password: "" });
    else if (word === "default") entries.push({ host: undefined, login: "", password: "" });
    else if ((word === "login" || word === "password") && entries.length > 0)
      entries.at(-1)![word] = next.next().value ?? "";
  }
  return entries;
}
