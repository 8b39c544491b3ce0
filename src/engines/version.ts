/** Versions of Python packages, compared as PEP 440 says. */

/** Numbers that compare as their versions do, from the left. */
type Key = readonly [epoch: number, release: readonly number[], rest: readonly number[]];

const VERSION =
  /^v?(?:(\d+)!)?(\d+(?:\.\d+)*)(?:[-_.]?(a|b|c|rc|alpha|beta|pre|preview)[-_.]?(\d*))?(?:-(\d+)|[-_.]?(post|rev|r)[-_.]?(\d*))?(?:[-_.]?(dev)[-_.]?(\d*))?(?:\+[a-z0-9]+(?:[-_.][a-z0-9]+)*)?$/i;

const STAGES: Readonly<Record<string, number>> = { a: 0, alpha: 0, b: 1, beta: 1, c: 2, rc: 2, pre: 2, preview: 2 };
const FINAL = 3;

function keyOf(version: string): Key | undefined {
  const found = VERSION.exec(version.trim());
  if (!found) return undefined;
  const [, epoch, release, stage, stageNumber, post, isPost, postNumber, isDev, devNumber] = found;
  const after = post ?? (isPost ? postNumber || "0" : undefined);
  const devOnly = isDev && stage === undefined && after === undefined;
  const rest = [
    devOnly ? -1 : stage === undefined ? FINAL : STAGES[stage.toLowerCase()]!,
    Number(stageNumber || 0),
    after === undefined ? -1 : Number(after),
    isDev ? Number(devNumber || 0) : Number.POSITIVE_INFINITY,
  ];
  return [Number(epoch ?? 0), release!.split(".").map(Number), rest];
}

/** Whether a text is a version. */
export const isVersion = (text: string): boolean => keyOf(text) !== undefined;

/** Whether it is no release but something before it: 1.0rc1, 2.0.dev3. */
export function isPrerelease(version: string): boolean {
  const key = keyOf(version);
  return key !== undefined && (key[2][0]! < FINAL || key[2][3] !== Number.POSITIVE_INFINITY);
}

/** Below 0 where `a` is older than `b`. What is no version is older than all. */
export function compareVersions(a: string, b: string): number {
  const [x, y] = [keyOf(a), keyOf(b)];
  if (!x || !y) return Number(x !== undefined) - Number(y !== undefined);
  return x[0] - y[0] || compareNumbers(x[1], y[1]) || compareNumbers(x[2], y[2]);
}

/** The shorter one is as if it went on with zeros. */
function compareNumbers(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const [x, y] = [a[i] ?? 0, b[i] ?? 0];
    if (x !== y) return x < y ? -1 : 1;
  }
  return 0;
}

const COMPARE: Readonly<Record<string, (order: number) => boolean>> = {
  "==": (order) => order === 0,
  "!=": (order) => order !== 0,
  ">=": (order) => order >= 0,
  "<=": (order) => order <= 0,
  ">": (order) => order > 0,
  "<": (order) => order < 0,
};

/** `name>=1,<2` → its name, and whether a version will do. */
export function parseRequirement(text: string): { name: string; fits: (version: string) => boolean } {
  const [, name, rest] = /^([\w.-]+)(.*)$/.exec(text)!;
  const tests = rest!
    .split(",")
    .filter(Boolean)
    .map((part) => /^\s*(==|!=|>=|<=|>|<)\s*(\S+)\s*$/.exec(part));
  if (tests.some((test) => test === null)) throw new Error(`internal: requirement ${text}`);
  return {
    name: name!,
    fits: (version) => tests.every((test) => COMPARE[test![1]!]!(compareVersions(version, test![2]!))),
  };
}
