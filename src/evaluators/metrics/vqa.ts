/** The score of open-ended answers that several people gave (Antol et al., arXiv:1505.00468; VQAv2's own evaluation). */

/**
 * What an answer is worth that `votes` of `annotators` people gave: min(1, votes / 3) of the others' votes, averaged over leaving each
 * person out. With 10: 0, 0.3, 0.6, 0.9, 1, 1, ….
 */
export function vqaScore(votes: number, annotators = 10): number {
  const worth = (matches: number): number => Math.min(1, matches / 3);
  if (annotators <= 1) return worth(votes);
  const among = votes * worth(votes - 1);
  const outside = (annotators - votes) * worth(votes);
  return (among + outside) / annotators;
}

/** The scores of all answers to one question, answers compared after `normalizeAnswer`. */
export function answerScores(answers: readonly string[]): Map<string, number> {
  const votes = new Map<string, number>();
  for (const answer of answers.map(normalizeAnswer)) votes.set(answer, (votes.get(answer) ?? 0) + 1);
  return new Map([...votes].map(([answer, n]) => [answer, vqaScore(n, answers.length)]));
}

const NUMBERS: Readonly<Record<string, string>> = {
  none: "0",
  zero: "0",
  one: "1",
  two: "2",
  three: "3",
  four: "4",
  five: "5",
  six: "6",
  seven: "7",
  eight: "8",
  nine: "9",
  ten: "10",
};

const ARTICLES = new Set(["a", "an", "the"]);

/** Lower case, without punctuation (decimal points and apostrophes stay) and articles, numbers up to ten as digits. */
export function normalizeAnswer(answer: string): string {
  return answer
    .toLowerCase()
    .replace(/[\n\t]/g, " ")
    .replace(/(\d),(?=\d)/g, "$1")
    .replace(/(?<!\d)\.|\.(?!\d)/g, " ")
    .replace(/[;/[\]"{}()=+\\_\-><@`,?!:]/g, " ")
    .split(/\s+/)
    .filter((word) => word !== "" && !ARTICLES.has(word))
    .map((word) => NUMBERS[word] ?? word)
    .join(" ");
}
