/** Visual questions, with answers as ten people would give them (as VQAv2 has them): kinds, either–or, yes or no, colours, moods, persons. */
import type { Random } from "../../../tensor/index.ts";
import { ALL_KINDS, coloursOf, genderOf, type Kind, kindOf, type Meta, moodOf } from "./kinds.ts";
import { type Maker, oneOf, type Said } from "./statements.ts";

const OPEN = ["What is this?", "What does the picture show?", "What can be seen here?"];

/** Wider words that "what kind of …" asks about: those with three kinds or more. */
const ASKED_WITHIN = ["animal", "food", "vehicle", "object"];

/** Every question about one picture. */
export const questions: Maker = (meta, rng) => {
  const kind = kindOf(meta);
  return [
    ...(kind ? aboutKind(kind, rng) : []),
    ...aboutColours(meta),
    ...aboutFaces(meta),
    ...aboutPersons(meta, rng),
  ];
};

function aboutKind(kind: Kind, rng: Random): Said[] {
  const said: Said[] = [{ text: oneOf(OPEN, rng), answers: votes(kind.name, kind.wider), frame: "what" }];
  if (ASKED_WITHIN.includes(kind.wider))
    said.push({ text: `What kind of ${kind.wider} is this?`, answers: votes(kind.name), frame: kind.wider });
  const others = [otherKind(kind, rng, true), otherKind(kind, rng, false)];
  for (const asked of [kind, ...others])
    said.push({
      text: `Is this ${asked.noun}?`,
      answers: votes(asked === kind ? "yes" : "no"),
      frame: `is ${asked.name}`,
    });
  for (const other of others) said.push(either(kind, other, rng));
  return said;
}

function either(kind: Kind, other: Kind, rng: Random): Said {
  const pair = [kind, other].sort((a, b) => (a.name < b.name ? -1 : 1));
  const [first, second] = rng.uniform() < 0.5 ? pair : pair.toReversed();
  return {
    text: `Is this ${first!.noun} or ${second!.noun}?`,
    answers: votes(kind.name),
    frame: `or ${pair.map(({ name }) => name).join()}`,
  };
}

/** A kind that is another: one with the same wider word, or one with another. */
export function otherKind(kind: Kind, rng: Random, sibling: boolean): Kind {
  const others = ALL_KINDS.filter(({ name, wider }) => name !== kind.name && (wider === kind.wider) === sibling);
  return oneOf(others.length > 0 ? others : ALL_KINDS.filter(({ wider }) => wider !== kind.wider), rng);
}

/** A thing of two colours has both as answers of as many people. */
function aboutColours(meta: Meta): Said[] {
  const [first, second] = coloursOf(meta);
  if (first === undefined) return [];
  return [{ text: "What colour is it?", answers: votes(first, second ?? first, 5), frame: "colour" }];
}

function aboutFaces(meta: Meta): Said[] {
  const mood = moodOf(meta);
  if (mood === undefined || mood === "neither") return [];
  return [{ text: "Does the face look happy or unhappy?", answers: votes(mood), frame: "mood" }];
}

function aboutPersons(meta: Meta, rng: Random): Said[] {
  const gender = genderOf(meta);
  if (gender !== "woman" && gender !== "man") return [];
  const text = rng.uniform() < 0.5 ? "Is this a woman or a man?" : "Is this a man or a woman?";
  return [{ text, answers: votes(gender), frame: "gender" }];
}

/** Ten answers; `few` of them another. */
function votes(answer: string, other = answer, few = 1): string[] {
  return [...Array<string>(10 - few).fill(answer), ...Array<string>(few).fill(other)];
}
