/** Checks what a caller feeds to a graph against the graph's inputs. */
import { DTypeError, NameError, ShapeError } from "../errors.ts";
import { dtypeHint, formatShape, nearest, sameShape, shapeHint, type Tensor } from "../tensor/index.ts";
import type { Graph } from "./graph.ts";

const quoted = (names: readonly string[]): string => names.map((n) => `"${n}"`).join(", ");

interface FeedRules {
  /** float64 feeds are taken for float32 inputs. */
  float64?: boolean;
}

/**
 * Throws NameError when a feed is missing or has no input, ShapeError and DTypeError when one does not fit its input.
 * Engines of other kinds check theirs in runtime/check.ts.
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
      given.length > 0 ? nearest(missing[0]!, given) : "nothing was fed",
    );
  for (const name of given) {
    if (!Object.hasOwn(g.inputs, name))
      throw new NameError(
        `${g.name}: the graph has no input "${name}"`,
        wanted.length > 0 ? nearest(name, wanted) : "the graph has no inputs",
      );
    const [to, feed] = [g.inputs[name]!, feeds[name]!];
    if (!sameShape(to.shape, feed.shape))
      throw new ShapeError(
        `${g.name}: feed "${name}": expected ${formatShape(to.shape)}, got ${formatShape(feed.shape)}`,
        shapeHint(to.shape, feed.shape),
      );
    if (to.dtype !== feed.dtype && !(float64 && to.dtype === "float32" && feed.dtype === "float64"))
      throw new DTypeError(`${g.name}: feed "${name}": expected ${to.dtype}, got ${feed.dtype}`, dtypeHint(to.dtype));
  }
}
