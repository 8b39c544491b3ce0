/** JSON as people write it: Python's NaN and Infinity, and whole numbers that a double cannot hold. */

/** Anything that JSON.parse would refuse or round. Cheap, and true of more than needs care. */
const SUSPECT = /NaN|Infinity|\d{16}/;
/** Strings are matched whole, so that nothing inside of them is replaced. */
const TOKENS = /"(?:[^"\\]|\\.)*"|NaN|-?Infinity|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/gs;

/**
 * The value of a JSON text. NaN, which is how pandas writes a missing cell, becomes null; infinities and whole numbers
 * above 2⁵³ become strings. Throws SyntaxError for anything else that is no JSON.
 */
export function parseJson(text: string): unknown {
  const plain = text.startsWith("\ufeff") ? text.slice(1) : text;
  return JSON.parse(SUSPECT.test(plain) ? plain.replace(TOKENS, exact) : plain);
}

function exact(token: string): string {
  if (token === "NaN") return "null";
  if (token.endsWith("Infinity")) return `"${token}"`;
  return /^-?\d+$/.test(token) && !Number.isSafeInteger(Number(token)) ? `"${token}"` : token;
}
