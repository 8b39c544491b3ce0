/** Plain data on top of other plain data. */
import { isRecord } from "../../io/index.ts";

type Raw = Record<string, unknown>;

/** `over` on top of `base`, key by key; lists and values are replaced whole. */
export function merge(base: Raw, over: Raw): Raw {
  const out: Raw = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const below = out[key];
    out[key] = isRecord(value) && isRecord(below) ? merge(below, value) : value;
  }
  return out;
}
