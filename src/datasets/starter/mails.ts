/** The text of an e-mail (RFC 5322 with MIME): its subject and the words of its body, as a spam filter would read them. */

/** What is kept of a text; later words of a mail rarely change its kind. */
const MAX_CHARACTERS = 2000;
const MAX_PARTS = 8;

/** A mail as a spam filter reads it, and what tells its relatives. */
export interface Mail {
  /** "Subject. Body" without headers, markup and encodings, spaces collapsed; empty where a mail holds no words. */
  readonly text: string;
  /** The words of the subject without "Re:" and the names of mailing lists. */
  readonly thread: string;
  /** The first letters of the body. */
  readonly opening: string;
}

/** Letters of a body by which copies of one letter are known, whatever name they greet further down. */
const OPENING = 100;

/** Reads a mail. Nothing is refused: what cannot be read is empty. */
export function readMail(raw: string): Mail {
  const { headers, body } = splitMail(raw.replace(/\r\n?/g, "\n").replace(/^From .*\n/, ""));
  const subject = decodeWords(headers.get("subject") ?? "");
  const content = bodyText(headers, body, 0);
  const text = `${subject}. ${content}`.replace(/\s+/g, " ").trim();
  return {
    text: /[\p{L}\p{N}]/u.test(text) ? text.slice(0, MAX_CHARACTERS).replace(/^\. /, "") : "",
    thread: lettersOf(subject.replace(/\[[^\]]*\]/g, " ").replace(/^(\s*(re|aw|fwd?)(\[\d+\])?\s*:)+/i, ""), " "),
    opening: lettersOf(content.slice(0, MAX_CHARACTERS), "").slice(0, OPENING),
  };
}

const lettersOf = (text: string, between: string): string =>
  text
    .toLowerCase()
    .replace(/[^\p{L}]+/gu, between)
    .trim();

function splitMail(mail: string): { headers: Map<string, string>; body: string } {
  const end = mail.indexOf("\n\n");
  const head = (end < 0 ? mail : mail.slice(0, end)).replace(/\n[ \t]+/g, " ");
  const headers = new Map<string, string>();
  for (const line of head.split("\n")) {
    const colon = line.indexOf(":");
    if (colon > 0) headers.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
  }
  return { headers, body: end < 0 ? "" : mail.slice(end + 2) };
}

function bodyText(headers: ReadonlyMap<string, string>, body: string, depth: number): string {
  const type = headers.get("content-type") ?? "text/plain";
  const boundary = /boundary="?([^";]+)"?/i.exec(type)?.[1];
  if (/^multipart\//i.test(type) && boundary !== undefined && depth < 4) {
    const parts = body
      .split(`--${boundary}`)
      .slice(1, MAX_PARTS)
      .map((part) => splitMail(part.replace(/^[ \t]*\n/, "")));
    const kind = (part: (typeof parts)[number]): string =>
      (part.headers.get("content-type") ?? "text/plain").toLowerCase();
    const best =
      parts.find((part) => kind(part).startsWith("text/plain")) ??
      parts.find((part) => /^(text|multipart)\//.test(kind(part)));
    return best === undefined ? "" : bodyText(best.headers, best.body, depth + 1);
  }
  if (!/^text\//i.test(type) && headers.has("content-type")) return "";
  const decoded = decodeBody(body, headers.get("content-transfer-encoding") ?? "", charsetOf(type));
  return /html/i.test(type) || /<html|<body|<br|<p>/i.test(decoded) ? htmlText(decoded) : decoded;
}

function decodeBody(body: string, encoding: string, charset: string): string {
  if (/quoted-printable/i.test(encoding)) return decodeBytes(quotedPrintable(body.replace(/=[ \t]*\n/g, "")), charset);
  if (/base64/i.test(encoding)) return decodeBytes(Buffer.from(body, "base64"), charset);
  return body;
}

function quotedPrintable(text: string): Uint8Array {
  const bytes: number[] = [];
  for (const part of text.split(/(=[0-9A-Fa-f]{2})/)) {
    if (/^=[0-9A-Fa-f]{2}$/.test(part)) bytes.push(Number.parseInt(part.slice(1), 16));
    else for (const byte of new TextEncoder().encode(part)) bytes.push(byte);
  }
  return Uint8Array.from(bytes);
}

/** Encoded words of a header, "=?iso-8859-1?Q?caf=E9?=". */
function decodeWords(header: string): string {
  return header.replace(/=\?([^?]+)\?([bq])\?([^?]*)\?=/gi, (_, charset: string, kind: string, text: string) =>
    /b/i.test(kind)
      ? decodeBytes(Buffer.from(text, "base64"), charset)
      : decodeBytes(quotedPrintable(text.replaceAll("_", " ")), charset),
  );
}

function charsetOf(type: string): string {
  return /charset="?([\w.-]+)"?/i.exec(type)?.[1] ?? "utf-8";
}

/** Unknown charsets, of which spam has many, are read as Latin-1. */
function decodeBytes(bytes: Uint8Array, charset: string): string {
  try {
    return new TextDecoder(charset).decode(bytes);
  } catch {
    return new TextDecoder("latin1").decode(bytes);
  }
}

const ENTITIES: Readonly<Record<string, string>> = {
  nbsp: " ",
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  copy: "©",
  reg: "®",
};

function htmlText(html: string): string {
  return html
    .replace(/<!--.*?-->/gs, " ")
    .replace(/<(style|script|title)\b.*?<\/\1\s*>/gis, " ")
    .replace(/<[^<>]*>/g, " ")
    .replace(/&#(\d{1,6});/g, (_, code: string) => fromCode(Number(code)))
    .replace(/&(\w+);/g, (entity, name: string) => ENTITIES[name.toLowerCase()] ?? entity);
}

function fromCode(code: number): string {
  return code > 0 && code <= 0x10ffff && !(code >= 0xd800 && code < 0xe000) ? String.fromCodePoint(code) : " ";
}
