/** Checks what a caller feeds to a graph against the graph's inputs. */
import { DTypeError, NameError, ShapeError } from "../errors.ts";
import { formatShape, sameShape, type Tensor } from "../tensor/index.ts";
import type { Graph } from "./graph.ts";

/** Number of single-letter edits between two names (Levenshtein 1966). */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[b.length]!;
}

/** The known names that look most like `name`, nearest first. */
export function nearestNames(name: string, known: readonly string[], count: number = 3): string[] {
  return known
    .map((k) => ({ k, distance: editDistance(name, k) }))
    .sort((x, y) => x.distance - y.distance)
    .slice(0, count)
    .map(({ k }) => k);
}

const quoted = (names: readonly string[]): string => names.map((n) => `"${n}"`).join(", ");

interface FeedRules {
  /** float64 feeds are taken for float32 inputs. */
  float64?: boolean;
}

/**
 * Throws NameError when a feed is missing or has no input, ShapeError and DTypeError when one does not fit its input.
 * All engines call it, so that they refuse the same feeds with the same words.
 */
export function checkFeeds(
  g: Graph,
  feeds: Readonly<Record<string, Tensor>>,
  { float64 = false }: FeedRules = {},
): void {
  const [wanted, given] = [Object.keys(g.inputs), Object.keys(feeds)];
  const missing = wanted.filter((name) => !Object.hasOwn(feeds, name));
  if (missing.length > 0)
    throw new NameError(
      `${g.name}: expected feeds ${quoted(wanted)}, got no ${quoted(missing)}`,
      given.length > 0 ? `the nearest given names: ${quoted(nearestNames(missing[0]!, given))}` : undefined,
    );
  for (const name of given) {
    if (!Object.hasOwn(g.inputs, name))
      throw new NameError(
        `${g.name}: the graph has no input "${name}"`,
        wanted.length > 0 ? `the nearest inputs: ${quoted(nearestNames(name, wanted))}` : "the graph has no inputs",
      );
    const [to, feed] = [g.inputs[name]!, feeds[name]!];
    if (!sameShape(to.shape, feed.shape))
      throw new ShapeError(
        `${g.name}: feed "${name}": expected ${formatShape(to.shape)}, got ${formatShape(feed.shape)}`,
      );
    if (to.dtype !== feed.dtype && !(float64 && to.dtype === "float32" && feed.dtype === "float64"))
      throw new DTypeError(`${g.name}: feed "${name}": expected ${to.dtype}, got ${feed.dtype}`);
  }
}
