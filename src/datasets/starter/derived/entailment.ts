/**
 * Visual entailment (as SNLI-VE has it): the picture is the premise. Entailed: its kind, or a wider word for it (a hypernym). Contradicted: a sibling
 * kind or a kind of another sort. Neutral: what no picture tells (whose it is), and of persons and faces what this one leaves open.
 */
import type { Random } from "../../../tensor/index.ts";
import { genderOf, type Kind, kindOf, type Meta, moodOf } from "./kinds.ts";
import { otherKind } from "./questions.ts";
import { type Maker, oneOf, type Said } from "./statements.ts";

const PLAIN = ["This is {}.", "The picture shows {}.", "There is {} in the picture."];
/** They say more than can be seen. */
const MORE = ["This is {} that belongs to a friend.", "This is {} from far away.", "Somebody is fond of {} like this."];

/** Every statement about one picture. */
export const entailment: Maker = (meta, rng) => {
  const kind = kindOf(meta);
  return [...(kind ? aboutKind(kind, rng) : []), ...aboutPersons(meta), ...aboutFaces(meta)];
};

function aboutKind(kind: Kind, rng: Random): Said[] {
  const wrong = (): Kind => otherKind(kind, rng, rng.uniform() < 0.5);
  const noun = (word: string): string => `${/^[aeiou]/.test(word) ? "an" : "a"} ${word}`;
  const told = (label: string, { name, noun }: Kind, forms: readonly string[]): Said => ({
    text: oneOf(forms, rng).replace("{}", noun),
    answers: [label],
    frame: `${forms === PLAIN ? "plain" : "more"} ${name}`,
  });
  const wide = (label: string, wider: string): Said => ({
    text: oneOf(PLAIN, rng).replace("{}", /^(food|nature)$/.test(wider) ? wider : noun(wider)),
    answers: [label],
    frame: `wide ${wider}`,
  });
  return [
    told("entailment", kind, PLAIN),
    told("contradiction", wrong(), PLAIN),
    told("neutral", kind, MORE),
    told("contradiction", wrong(), MORE),
    wide("entailment", kind.wider),
    wide("contradiction", otherKind(kind, rng, false).wider),
  ];
}

function aboutPersons(meta: Meta): Said[] {
  const gender = genderOf(meta);
  if (gender === undefined) return [];
  return ["woman", "man"].map((said) => ({
    text: `The person is a ${said}.`,
    answers: [gender === "open" ? "neutral" : gender === said ? "entailment" : "contradiction"],
    frame: `person ${said}`,
  }));
}

function aboutFaces(meta: Meta): Said[] {
  const mood = moodOf(meta);
  if (mood === undefined) return [];
  return ["happy", "unhappy"].map((said) => ({
    text: `The face looks ${said}.`,
    answers: [mood === "neither" ? "neutral" : mood === said ? "entailment" : "contradiction"],
    frame: `face ${said}`,
  }));
}
