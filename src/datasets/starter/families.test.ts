import { describe, expect, it } from "vitest";
import { familyKeys, headOf, joinFamilies, nameOf } from "./families.ts";

/** Families as lists of labels, by subgroup. */
function familiesOf(labels: Readonly<Record<string, readonly string[]>>): string[][] {
  const all = Object.entries(labels).flatMap(([subgroup, list]) => list.map((label) => ({ label, subgroup })));
  const first = joinFamilies(all.map(familyKeys));
  return [...new Set(first)].map((root) => all.filter((_, i) => first[i] === root).map(({ label }) => label));
}

describe("names", () => {
  it.each([
    ["red apple", "apple", "apple"],
    ["man firefighter", "firefighter", "firefighter"],
    ["umbrella with rain drops", "umbrella with rain drop", "umbrella"],
    ["person walking: facing right", "walking", "walking"],
    ["face with monocle", "monocle", "monocle"],
    ["dog face", "dog", "dog"],
    ["man", "man", "man"],
  ])("%s is named %s, about %s", (label, name, head) => {
    expect(nameOf(label)).toBe(name);
    expect(headOf(label)).toBe(head);
  });
});

describe("joinFamilies", () => {
  it("merges genders, colours, directions, clock faces, hearts and names under one another", () => {
    const families = familiesOf({
      role: ["firefighter", "man firefighter", "woman firefighter"],
      fruit: ["red apple", "green apple", "pear"],
      sport: ["person walking", "person walking: facing right"],
      time: ["alarm clock", "one o’clock", "two-thirty", "stopwatch"],
      heart: ["red heart", "love letter"],
      mammal: ["dog face", "guide dog", "poodle"],
    });
    expect(families).toEqual([
      ["firefighter", "man firefighter", "woman firefighter"],
      ["red apple", "green apple"],
      ["pear"],
      ["person walking", "person walking: facing right"],
      ["alarm clock", "one o’clock", "two-thirty"],
      ["stopwatch"],
      ["red heart", "love letter"],
      ["dog face", "guide dog"],
      ["poodle"],
    ]);
  });

  it("merges through a third that both belong with", () => {
    expect(familiesOf({ heart: ["love letter", "red heart"], body: ["anatomical heart"] })).toHaveLength(1);
  });
});
