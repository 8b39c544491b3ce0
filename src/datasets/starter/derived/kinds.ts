/** What kinds of things the pictures of emoji show: words for emojibase's subgroups, and a wider word for several of them. */

/** A kind of thing. */
export interface Kind {
  /** "sea animal" */
  readonly name: string;
  /** As a sentence has it: "a sea animal", "clothing". */
  readonly noun: string;
  /** A wider word, which is a hypernym of the name: "animal". */
  readonly wider: string;
}

const kind = (wider: string, name: string, noun = `${/^[aeiou]/.test(name) ? "an" : "a"} ${name}`): Kind => ({
  name,
  noun,
  wider,
});

/** By emojibase's subgroup. Those that are left out have no common word ("other-object") or few pictures. */
const KINDS: Readonly<Record<string, Kind>> = {
  "animal-mammal": kind("animal", "mammal"),
  "animal-bird": kind("animal", "bird"),
  "animal-reptile": kind("animal", "reptile"),
  "animal-marine": kind("animal", "sea animal"),
  "animal-bug": kind("animal", "bug"),
  "plant-flower": kind("plant", "flower"),
  "plant-other": kind("plant", "leaf or tree"),
  "food-fruit": kind("food", "fruit"),
  "food-vegetable": kind("food", "vegetable"),
  "food-prepared": kind("food", "meal"),
  "food-asian": kind("food", "meal"),
  "food-sweet": kind("food", "dessert"),
  drink: kind("drink", "drink"),
  "place-building": kind("place", "building"),
  "place-religious": kind("place", "building"),
  "place-geographic": kind("place", "landscape"),
  "transport-ground": kind("vehicle", "land vehicle"),
  "transport-water": kind("vehicle", "boat"),
  "transport-air": kind("vehicle", "aircraft"),
  time: kind("object", "clock"),
  "sky-weather": kind("nature", "weather", "weather"),
  sport: kind("activity", "sport", "something for sport"),
  game: kind("activity", "game", "something for a game"),
  clothing: kind("object", "clothing", "clothing"),
  "musical-instrument": kind("object", "musical instrument"),
  tool: kind("object", "tool"),
  "book-paper": kind("object", "book or paper"),
  household: kind("object", "household item"),
  "hand-fingers-open": kind("body part", "hand"),
  "hand-fingers-partial": kind("body part", "hand"),
  "hand-single-finger": kind("body part", "hand"),
  "hand-fingers-closed": kind("body part", "hand"),
  hands: kind("body part", "hand"),
  person: kind("person", "person"),
  "person-role": kind("person", "person"),
  "person-activity": kind("person", "person"),
  "person-sport": kind("person", "person"),
  "person-resting": kind("person", "person"),
  "person-gesture": kind("person", "person"),
  "face-smiling": kind("face", "face"),
  "face-affection": kind("face", "face"),
  "face-concerned": kind("face", "face"),
  "face-negative": kind("face", "face"),
  "face-neutral-skeptical": kind("face", "face"),
  "face-sleepy": kind("face", "face"),
  "face-unwell": kind("face", "face"),
  heart: kind("symbol", "heart"),
  arrow: kind("symbol", "arrow"),
  zodiac: kind("symbol", "zodiac sign"),
};

/** All kinds, each once. */
export const ALL_KINDS: readonly Kind[] = [...new Map(Object.values(KINDS).map((one) => [one.name, one])).values()];

/** The kind of what a picture shows; undefined where there is no word for it. */
export const kindOf = (meta: Meta): Kind | undefined =>
  Object.hasOwn(KINDS, meta.subgroup ?? "") ? KINDS[meta.subgroup!] : undefined;

/** What is written beside a picture of the starter data. */
export type Meta = Readonly<Record<string, string | undefined>>;

/** How a face looks; undefined for what is no face. */
export function moodOf({ subgroup = "" }: Meta): "happy" | "unhappy" | "neither" | undefined {
  if (/^face-(smiling|affection)$/.test(subgroup)) return "happy";
  if (/^face-(concerned|negative|unwell)$/.test(subgroup)) return "unhappy";
  return /^face-(neutral-skeptical|sleepy)$/.test(subgroup) ? "neither" : undefined;
}

const WOMAN = /\b(wom[ae]n|girl|female|lady|mother|princess|bride|queen|mrs|her)\b/i;
const MAN = /\b(m[ae]n|boy|male|father|prince|groom|king|mr|santa|beard|his)\b/i;

/** Whether a person is a woman or a man, where the name says so; "open" where neither name nor tags say it; undefined for no person, and for both. */
export function genderOf(meta: Meta): "woman" | "man" | "open" | undefined {
  if (kindOf(meta)?.name !== "person") return undefined;
  const { name = "", tags = "" } = meta;
  const [woman, man] = [WOMAN.test(name), MAN.test(name)];
  if (woman !== man) return woman ? "woman" : "man";
  return woman || WOMAN.test(tags) || MAN.test(tags) ? undefined : "open";
}

const COLOURS = ["red", "orange", "yellow", "green", "blue", "purple", "brown", "black", "white", "pink", "grey"].map(
  (colour) => ({ colour, inName: new RegExp(`\\b${colour}\\b`, "i"), asTag: new RegExp(`(^|, )${colour}(,|$)`, "i") }),
);

/** The one or two colours that the name and the tags of a thing say; none for persons and faces, whose tags tell of hair and skin. */
export function coloursOf(meta: Meta): readonly string[] {
  const { name = "", tags = "", group = "" } = meta;
  if (/^(people|smileys)/.test(group) && !/heart/.test(meta.subgroup ?? "")) return [];
  const own = COLOURS.filter(({ inName }) => inName.test(name));
  const said = own.length > 0 ? own : COLOURS.filter(({ asTag }) => asTag.test(tags));
  return said.length <= 2 ? said.map(({ colour }) => colour) : [];
}
