import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ConfigError } from "../../errors.ts";
import { expandBraces, expandLocations } from "./braces.ts";

describe("expandBraces", () => {
  it("writes ranges with the zeros of their ends", () => {
    expect(expandBraces("s/{008..011}.tar")).toEqual(["s/008.tar", "s/009.tar", "s/010.tar", "s/011.tar"]);
    expect(expandBraces("{8..10}")).toEqual(["8", "9", "10"]);
    expect(expandBraces("{3..1}")).toEqual(["3", "2", "1"]);
    expect(expandBraces("{0..10..5}")).toEqual(["0", "5", "10"]);
  });

  it("expands choices, several groups and nested groups", () => {
    expect(expandBraces("{a,b}-{1..2}")).toEqual(["a-1", "a-2", "b-1", "b-2"]);
    expect(expandBraces("x{a,b{0..1}}")).toEqual(["xa", "xb0", "xb1"]);
    expect(expandBraces("{a,}")).toEqual(["a", ""]);
  });

  it("leaves a single choice as it is, as a shell does", () => {
    expect(expandBraces("{a}.tar")).toEqual(["{a}.tar"]);
    expect(expandBraces("plain.tar")).toEqual(["plain.tar"]);
  });

  it("counts as many names as the range is long", () => {
    expect(expandBraces("{000000..000146}.tar")).toHaveLength(147);
  });

  it("refuses unbalanced braces and endless lists", () => {
    for (const bad of ["{1..2", "1..2}", "a}b{c", "{{1..2}"]) expect(() => expandBraces(bad)).toThrow(ConfigError);
    expect(() => expandBraces("{0..99999999}")).toThrow(ConfigError);
    expect(() => expandBraces("{0..9999}{0..9999}")).toThrow(ConfigError);
    expect(() => expandLocations("{".repeat(5000))).toThrow(ConfigError);
  });

  it("gives names or a ConfigError for any text, and only balanced text gives names", () => {
    const text = fc.string({
      unit: fc.constantFrom("{", "}", ",", ".", "0", "1", "9", "a", ":", "[", "]", "-"),
      maxLength: 40,
    });
    fc.assert(
      fc.property(text, (pattern) => {
        try {
          expect(expandLocations(pattern).length).toBeGreaterThan(0);
        } catch (error) {
          expect(error).toBeInstanceOf(ConfigError);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe("expandLocations", () => {
  it("joins lists at :: but not inside brackets", () => {
    expect(expandLocations("a{0..1}.tar::b.tar")).toEqual(["a0.tar", "a1.tar", "b.tar"]);
    expect(expandLocations("http://[::1]:80/a.tar")).toEqual(["http://[::1]:80/a.tar"]);
    expect(() => expandLocations("a.tar::")).toThrow(ConfigError);
  });
});
