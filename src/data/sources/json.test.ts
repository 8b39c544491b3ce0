import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseJson } from "./json.ts";

describe("parseJson", () => {
  it("reads what Python writes", () => {
    expect(parseJson('{"a": NaN, "b": [Infinity, -Infinity, 1.5], "c": "NaN Infinity"}')).toEqual({
      a: null,
      b: ["Infinity", "-Infinity", 1.5],
      c: "NaN Infinity",
    });
  });

  it("keeps whole numbers that a double cannot hold, as text", () => {
    const text =
      '{"id":1234567890123456789,"low":-9007199254740993,"most":9007199254740991,"f":0.1234567890123456,"s":"12345678901234567890\\" 12345678901234567890"}';
    expect(parseJson(text)).toEqual({
      id: "1234567890123456789",
      low: "-9007199254740993",
      most: 9007199254740991,
      f: 0.1234567890123456,
      s: '12345678901234567890" 12345678901234567890',
    });
  });

  it("gives what JSON.parse gives for any JSON with numbers that a double holds", () => {
    const value = fc.jsonValue({ noUnicodeString: false });
    const text = fc.oneof(
      value.map((v) => JSON.stringify(v)),
      value.map((v) => JSON.stringify([v, "NaN"])),
    );
    const small = text.filter((json) => !/\d{16}(?![.\d])/.test(json));
    fc.assert(
      fc.property(small, (json) => {
        expect(parseJson(json)).toEqual(JSON.parse(json));
      }),
      { numRuns: 300 },
    );
  });

  it("refuses what is no JSON", () => {
    for (const text of ["", "{", "{a: 1}", "NaN1", "[1,]", "Infinity Infinity"])
      expect(() => parseJson(text)).toThrow(SyntaxError);
  });
});
