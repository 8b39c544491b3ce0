import { describe, expect, it } from "vitest";
import { answerScores } from "../../../evaluators/index.ts";
import { entailment } from "./entailment.ts";
import { coloursOf, genderOf, kindOf, moodOf } from "./kinds.ts";
import { questions } from "./questions.ts";
import { type Statement, statementsOf } from "./statements.ts";

const SUBGROUPS = ["animal-bird", "animal-bug", "animal-mammal", "food-fruit", "tool", "face-smiling", "person-role"];
const pictures = Array.from({ length: 140 }, (_, i) => {
  const subgroup = SUBGROUPS[i % 7]!;
  const name = subgroup === "person-role" ? ["man cook", "woman cook", "cook"][i % 3]! : `thing ${i}`;
  const tags = i % 5 === 0 ? "red, round" : "round";
  return { key: `noto-${i}`, meta: { subgroup, name, tags, group: "objects" } };
});

const count = (list: readonly Statement[], of: (one: Statement) => string): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const one of list) counts[of(one)] = (counts[of(one)] ?? 0) + 1;
  return counts;
};

/** The counts of answers in each frame. */
function framesOf(list: readonly Statement[]): number[][] {
  const frames = new Map<string, Statement[]>();
  for (const one of list) frames.set(one.frame, [...(frames.get(one.frame) ?? []), one]);
  return [...frames.values()].map((own) => Object.values(count(own, ({ answers }) => answers[0]!)));
}

describe("questions", () => {
  const asked = statementsOf(pictures, questions);

  it("have as many of each answer, so that the wording alone tells nothing", () => {
    expect(asked.length).toBeGreaterThan(200);
    for (const counts of framesOf(asked)) {
      expect(counts.length).toBeGreaterThan(1);
      if (counts.length <= 3) expect(new Set(counts).size).toBe(1);
    }
    const yesNo = asked.filter(({ frame }) => frame.startsWith("is "));
    expect(new Set(yesNo.map(({ answers }) => answers[0]))).toEqual(new Set(["yes", "no"]));
  });

  it("have ten answers; a wider word is worth little, two colours as much", () => {
    expect(new Set(asked.map(({ answers }) => answers.length))).toEqual(new Set([10]));
    const [what] = asked.filter(({ frame, picture }) => frame === "what" && picture % 7 === 0);
    expect(Object.fromEntries(answerScores(what!.answers))).toEqual({ bird: 1, animal: expect.closeTo(0.3, 10) });
    const rng = { bits: () => 0, uniform: () => 0, integer: () => 0, normal: () => 0 };
    const colour = questions({ name: "red and blue book", group: "objects" }, rng)[0]!;
    expect([colour.text, Object.fromEntries(answerScores(colour.answers))]).toEqual([
      "What colour is it?",
      { red: 1, blue: 1 },
    ]);
  });

  it("answer truly by what is written beside the picture", () => {
    for (const { text, answers, picture, frame } of asked) {
      const kind = kindOf(pictures[picture]!.meta)!;
      if (frame === "what" || frame.startsWith("or ")) expect(answers[0]).toBe(kind.name);
      if (frame.startsWith("is ")) expect(answers[0]).toBe(text === `Is this ${kind.noun}?` ? "yes" : "no");
    }
  });

  it("about the same pictures are the same, and those of other pictures do not change with their number", () => {
    expect(statementsOf(pictures, questions)).toEqual(asked);
  });
});

describe("entailment", () => {
  const judged = statementsOf(pictures, entailment);

  it("has sentences that are right of one picture and wrong or open of another", () => {
    for (const counts of framesOf(judged)) {
      expect(counts.length).toBeGreaterThan(1);
      expect(new Set(counts).size).toBe(1);
    }
    expect(Object.keys(count(judged, ({ answers }) => answers[0]!)).sort()).toEqual([
      "contradiction",
      "entailment",
      "neutral",
    ]);
  });

  it("leaves the gender of a person open where the name does, and calls a wider word entailed", () => {
    const of = (frame: string, picture: (i: number) => boolean): Set<string> =>
      new Set(judged.filter((one) => one.frame === frame && picture(one.picture)).map(({ answers }) => answers[0]!));
    expect(of("person woman", (i) => i % 3 === 2)).toEqual(new Set(["neutral"]));
    expect(of("person woman", (i) => i % 3 === 1)).toEqual(new Set(["entailment"]));
    expect(of("person woman", (i) => i % 3 === 0)).toEqual(new Set(["contradiction"]));
    expect(of("wide animal", (i) => i % 7 < 3)).toEqual(new Set(["entailment"]));
    expect(of("wide animal", (i) => i % 7 > 2)).toEqual(new Set(["contradiction"]));
    expect([...of("more bird", (i) => i % 7 === 0), ...of("more bird", (i) => i % 7 > 0)]).toEqual([
      "neutral",
      "contradiction",
    ]);
  });
});

describe("what is written beside a picture", () => {
  it("tells kinds, moods, persons and colours, or nothing", () => {
    expect(kindOf({ subgroup: "other-object" })).toBeUndefined();
    expect(kindOf({ subgroup: "constructor" })).toBeUndefined();
    expect(moodOf({ subgroup: "face-unwell" })).toBe("unhappy");
    expect(moodOf({ subgroup: "cat-face" })).toBeUndefined();
    expect(genderOf({ subgroup: "person-role", name: "Mrs. Claus" })).toBe("woman");
    expect(genderOf({ subgroup: "person-role", name: "cook", tags: "man, kitchen" })).toBeUndefined();
    expect(genderOf({ subgroup: "person", name: "man and woman" })).toBeUndefined();
    expect(genderOf({ subgroup: "tool", name: "woman" })).toBeUndefined();
    expect(coloursOf({ name: "green apple", tags: "red, fruit", group: "food-drink" })).toEqual(["green"]);
    expect(coloursOf({ name: "flag", tags: "red, white, blue", group: "objects" })).toEqual([]);
    expect(coloursOf({ name: "woman", tags: "red hair, red", group: "people-body" })).toEqual([]);
    expect(coloursOf({ name: "carrot", tags: "orange", group: "food-drink" })).toEqual(["orange"]);
  });
});
