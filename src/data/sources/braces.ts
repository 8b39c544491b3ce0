/** Lists of files as open_clip writes them: `{000000..000146}` ranges, `{a,b}` choices, `::` between lists. */
import { ConfigError } from "../../errors.ts";

const MAX_NAMES = 1_000_000;
/** Keeps the recursion shallow. */
const MAX_LENGTH = 4096;

/** `a::b` → the names of a, then those of b. A `::` inside brackets (an IPv6 host) does not split. */
export function expandLocations(spec: string): string[] {
  if (spec.length > MAX_LENGTH) throw new ConfigError(`expected at most ${MAX_LENGTH} characters of locations`);
  const parts = spec.split(/::(?![^[]*\])/);
  if (parts.some((part) => part === "")) throw new ConfigError(`${spec}: expected a location on both sides of ::`);
  const names = parts.flatMap((part) => expandBraces(part));
  if (names.length > MAX_NAMES) throw tooMany(spec);
  return names;
}

/** Expands every brace group, nested ones too, left to right. Unbalanced braces are a ConfigError. */
export function expandBraces(pattern: string): string[] {
  const open = pattern.indexOf("{");
  if (open < 0) {
    if (pattern.includes("}")) throw unbalanced(pattern);
    return [pattern];
  }
  const close = matching(pattern, open);
  const head = pattern.slice(0, open);
  if (head.includes("}")) throw unbalanced(pattern);
  const choices = expandGroup(pattern.slice(open + 1, close), pattern);
  const tails = expandBraces(pattern.slice(close + 1));
  if (choices.length * tails.length > MAX_NAMES) throw tooMany(pattern);
  return choices.flatMap((choice) => tails.map((tail) => head + choice + tail));
}

/** What is between two braces: a range, choices, or (one choice) the text with its braces. */
function expandGroup(body: string, pattern: string): string[] {
  const range = /^(-?\d+)\.\.(-?\d+)(?:\.\.(-?\d+))?$/.exec(body);
  if (range) return expandRange(range[1]!, range[2]!, Number(range[3] ?? 1), pattern);
  const choices = splitTopLevel(body);
  if (choices.length === 1) return expandBraces(body).map((text) => `{${text}}`);
  return choices.flatMap((choice) => expandBraces(choice));
}

function expandRange(first: string, last: string, step: number, pattern: string): string[] {
  const [a, b] = [Number(first), Number(last)];
  const stride = Math.abs(step) || 1;
  if (Math.abs(b - a) / stride >= MAX_NAMES) throw tooMany(pattern);
  const padded = /^-?0\d/.test(first) || /^-?0\d/.test(last);
  const width = padded ? Math.max(first.length, last.length) : 0;
  const names: string[] = [];
  for (let i = 0; i <= Math.floor(Math.abs(b - a) / stride); i++) {
    const value = a + Math.sign(b - a) * i * stride;
    const digits = String(Math.abs(value)).padStart(value < 0 ? width - 1 : width, "0");
    names.push(value < 0 ? `-${digits}` : digits);
  }
  return names;
}

function matching(pattern: string, open: number): number {
  for (let i = open, depth = 0; i < pattern.length; i++) {
    if (pattern[i] === "{") depth++;
    else if (pattern[i] === "}" && --depth === 0) return i;
  }
  throw unbalanced(pattern);
}

function splitTopLevel(body: string): string[] {
  const parts = [""];
  let depth = 0;
  for (const char of body) {
    if (char === "," && depth === 0) {
      parts.push("");
      continue;
    }
    if (char === "{") depth++;
    if (char === "}") depth--;
    parts[parts.length - 1] += char;
  }
  return parts;
}

const unbalanced = (pattern: string): ConfigError =>
  new ConfigError(`${pattern}: expected as many { as }`, "ranges are written {000000..000146}, choices {a,b}");

const tooMany = (pattern: string): ConfigError =>
  new ConfigError(`${pattern}: expected at most ${MAX_NAMES} names`, "check the numbers of the range");
