/** Things said about pictures, made from what is written beside them and balanced, so that words alone do not tell the answers. */
import { fnv1a, type Random, random } from "../../../tensor/index.ts";
import type { Meta } from "./kinds.ts";

/** A picture that something is said about. */
export interface Pictured {
  readonly key: string;
  readonly meta: Meta;
}

/** What a maker says about one picture. */
export interface Said {
  readonly text: string;
  /** What ten people would answer, the commonest answer first; of a statement that is judged, one label. */
  readonly answers: readonly string[];
  /** Texts of one frame tell nothing about the answer: within it answers are balanced. */
  readonly frame: string;
}

/** Something said about a picture. */
export interface Statement extends Said {
  /** Number of the picture. */
  readonly picture: number;
}

/** Says what there is to say about a picture; chances depend on the picture's key alone. */
export type Maker = (meta: Meta, rng: Random) => readonly Said[];

/** Statements about all pictures, in their order, balanced. The same pictures give the same statements. */
export function statementsOf(pictures: readonly Pictured[], make: Maker): readonly Statement[] {
  const said = pictures.flatMap(({ key, meta }, picture) =>
    make(meta, random(1, "starter-statements", fnv1a(key))).map((one): Statement => ({ ...one, picture })),
  );
  const frames = new Map<string, Map<string, Statement[]>>();
  for (const statement of said) {
    const answers = frames.get(statement.frame) ?? new Map<string, Statement[]>();
    frames.set(statement.frame, answers);
    const answer = statement.answers[0]!;
    const same = answers.get(answer);
    if (same) same.push(statement);
    else answers.set(answer, [statement]);
  }
  const kept = new Set([...frames.values()].flatMap((answers) => balanced([...answers.values()], pictures)));
  return said.filter((statement) => kept.has(statement));
}

/**
 * As many of each answer as the rarest of two or three has; of more answers, as many as the middle one has. A frame with one answer asks
 * nothing. Which are kept is drawn by their pictures.
 */
function balanced(byAnswer: readonly Statement[][], pictures: readonly Pictured[]): Statement[] {
  if (byAnswer.length < 2) return [];
  const counts = byAnswer.map((list) => list.length).sort((a, b) => a - b);
  const most = counts[counts.length <= 3 ? 0 : counts.length >> 1]!;
  const rank = ({ picture, text }: Statement): number =>
    random(2, "starter-statements", fnv1a(`${pictures[picture]!.key} ${text}`)).bits();
  return byAnswer.flatMap((list) =>
    list
      .map((statement) => ({ statement, rank: rank(statement) }))
      .sort((a, b) => a.rank - b.rank)
      .slice(0, most)
      .map(({ statement }) => statement),
  );
}

/** One of them. */
export const oneOf = <T>(items: readonly T[], rng: Random): T => items[rng.integer(items.length)]!;
