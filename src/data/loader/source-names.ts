/** A name of its own for each source, so that lists of bad samples can distinguish them. */
import type { Source } from "../sources/index.ts";

/** The names in their order; the second that reads `a` becomes `a#2`, the third `a#3`. */
export function distinctNames(names: readonly string[]): string[] {
  const taken = new Set(names);
  const seen = new Set<string>();
  return names.map((name) => {
    let own = name;
    for (let n = 2; seen.has(own) || (own !== name && taken.has(own)); n++) own = `${name}#${n}`;
    seen.add(own);
    return own;
  });
}

/** The source under another name, also in what it reports. It counts as another source: kept pictures are not shared. */
export const renamed = (source: Source, name: string): Source => ({
  ...source,
  name,
  samples: ({ onBad, ...options } = {}) =>
    source.samples({ ...options, ...(onBad && { onBad: (bad) => onBad({ ...bad, source: name }) }) }),
});

/** What each of these sources is called in reports: its name, with a number where another source has it too. */
export function namesOf(sources: readonly Source[]): ReadonlyMap<Source, string> {
  const different = [...new Set(sources)];
  const names = distinctNames(different.map(({ name }) => name));
  return new Map(different.map((source, i) => [source, names[i]!]));
}
