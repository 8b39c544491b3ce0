/**
 * The tokenizer against a second opinion: BERT's BasicTokenizer and greedy longest-match WordPiece, written here from the rules of
 * google-research/bert's `tokenization.py` (with Hugging Face's wider set of dropped control characters), without the library;
 * and against a table of strings that tokenizers get wrong, whose ids those rules gave.
 */
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { loadBertTokenizer } from "./load.node.ts";
import type { TextTokenizer } from "./tokenizer.ts";

/** Strings and their ids in bert-base-uncased, without `[CLS]` and `[SEP]`. */
const AWKWARD: readonly (readonly [text: string, ids: readonly number[]])[] = [
  ["", []],
  [" \t\r\n ", []],
  ["Hello, World!", [7592, 1010, 2088, 999]],
  ["MiXeD CaSe WORDS", [3816, 2553, 2616]],
  ["naïve café façade Ångström œuvre", [15743, 7668, 8508, 17076, 15687, 1107, 2226, 12229]],
  ["e\u0301 o\u0308 n\u0303 a\u0323\u0301 \u0301", [1041, 1051, 1050, 1037]],
  ["İstanbul ıspanak ΟΔΟΣ Σ ß ẞ ﬁ ǅ", [9960, 1104, 13102, 5162, 2243, 1169, 29722, 15297, 1173, 1096, 1096, 1984, 100]],
  [
    "日本語のテキスト 漢字kanji混ぜる",
    [1864, 1876, 1950, 1671, 30239, 30227, 30233, 30240, 1904, 100, 22827, 4478, 100, 1659, 30213],
  ],
  [
    "한국어 문장 각 ᄒᆞᆫ",
    [
      1469, 30006, 30021, 29991, 30014, 30020, 29999, 30008, 1459, 30014, 30021, 30000, 30006, 30025, 1455, 30006,
      30020, 100,
    ],
  ],
  ["\u{20000}\u{2a6d6}x\u{2b740}豈更", [100, 100, 1060, 100, 100, 100]],
  ["I love 🍕 and 👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽!", [1045, 2293, 100, 1998, 100, 100, 100, 999]],
  ["zero\u200bwidth\u200djoin\ufeffbom\u00adsoft", [5717, 9148, 11927, 2232, 5558, 2378, 5092, 5244, 15794]],
  ["nul\u0000bell\u0007esc\u001bdel\u007fnel\u0085x", [16371, 20850, 22869, 19797, 2884, 11877, 2595]],
  ["bad\ufffdchar private\ue000use lone\ud800surrogate", [2919, 7507, 2099, 2797, 8557, 10459, 26210, 21799]],
  ["tab\tnew\nline\r\nvt\u000bff\u000cend", [21628, 2047, 2240, 28879, 18032, 2094]],
  ["nbsp\u00a0em\u2003ideo\u3000line\u2028para\u2029end", [1050, 5910, 2361, 7861, 8909, 8780, 2240, 11498, 2203]],
  [
    "don't can't it's rock'n'roll o’clock “quoted” ‘single’",
    [
      2123, 1005, 1056, 2064, 1005, 1056, 2009, 1005, 1055, 2600, 1005, 1050, 1005, 4897, 1051, 1521, 5119, 1523, 9339,
      1524, 1520, 2309, 1521,
    ],
  ],
  [
    "e.g. 3.14, 1,000,000 -42 50% $9.99 #1 a_b a-b a/b a\\b",
    [
      1041, 1012, 1043, 1012, 1017, 1012, 2403, 1010, 1015, 1010, 2199, 1010, 2199, 1011, 4413, 2753, 1003, 1002, 1023,
      1012, 5585, 1001, 1015, 1037, 1035, 1038, 1037, 1011, 1038, 1037, 1013, 1038, 1037, 1032, 1038,
    ],
  ],
  [
    "`^~|<>=+$ ¡¿§¶·«»‹›†‡•…‰′″℃™©®°±×÷",
    [
      1036, 1034, 1066, 1064, 1026, 1028, 1027, 1009, 1002, 1067, 1094, 1073, 1086, 1087, 1077, 1090, 100, 1533, 1526,
      1527, 1528, 1529, 1530, 1531, 1532, 100,
    ],
  ],
  [
    "https://example.org/a?b=c&d=e#f user@example.org",
    [
      16770, 1024, 1013, 1013, 2742, 1012, 8917, 1013, 1037, 1029, 1038, 1027, 1039, 1004, 1040, 1027, 1041, 1001, 1042,
      5310, 1030, 2742, 1012, 8917,
    ],
  ],
  [
    "[MASK] a [SEP] b [CLS] [PAD] [UNK] [unused5] [mask] [ MASK ]",
    [103, 1037, 102, 1038, 101, 0, 100, 1031, 15171, 2629, 1033, 1031, 7308, 1033, 1031, 7308, 1033],
  ],
  ["no[MASK]space[SEP]here", [2053, 103, 2686, 102, 2182]],
  [
    "antidisestablishmentarianism pneumonoultramicroscopicsilicovolcanoconiosis",
    [
      3424, 10521, 4355, 7875, 13602, 3672, 12199, 2964, 1052, 2638, 2819, 17175, 11314, 6444, 2594, 7352, 26461, 27572,
      11261, 6767, 15472, 6761, 8663, 10735, 2483,
    ],
  ],
  [
    "a".repeat(100),
    [
      13360, 11057, 11057, 11057, 11057, 11057, 11057, 11057, 11057, 11057, 11057, 11057, 11057, 11057, 11057, 11057,
      11057, 11057, 11057, 11057, 11057, 11057, 11057, 11057, 11057, 11057, 11057, 11057, 11057, 11057, 11057, 11057,
      11057, 11057, 11057, 11057, 11057, 11057, 11057, 11057, 11057, 11057, 11057, 11057, 11057, 11057, 11057, 11057,
      11057, 2050,
    ],
  ],
  ["a".repeat(101), [100]],
  [
    `${"é".repeat(100)} ${"é".repeat(101)}`,
    [
      25212, 4402, 4402, 4402, 4402, 4402, 4402, 4402, 4402, 4402, 4402, 4402, 4402, 4402, 4402, 4402, 4402, 4402, 4402,
      4402, 4402, 4402, 4402, 4402, 4402, 4402, 4402, 4402, 4402, 4402, 4402, 4402, 4402, 4402, 4402, 4402, 4402, 4402,
      4402, 4402, 4402, 4402, 4402, 4402, 4402, 4402, 4402, 4402, 4402, 4402, 100,
    ],
  ],
  ["𝒜".repeat(51), [100]],
  ["שלום עולם שָׁלוֹם", [1266, 29799, 29792, 29800, 1259, 29792, 29799, 29800, 1266, 29799, 29792, 29800]],
  [
    "مرحبا بالعالم مُرَحَّب",
    [1295, 17149, 29820, 29816, 25573, 1271, 25573, 23673, 29830, 25573, 23673, 22192, 1295, 17149, 29820, 29816],
  ],
  ["नमस्ते दुनिया ไทยภาษา", [1327, 29867, 29874, 29859, 1325, 29863, 29877, 29868, 29876, 100]],
  [
    "Привет, мир! Ёлка й",
    [1194, 16856, 10325, 25529, 15290, 22919, 1010, 1191, 10325, 16856, 999, 1185, 29436, 28598, 1188],
  ],
  ["##ing ##s # # un##able", [1001, 1001, 13749, 1001, 1001, 1055, 1001, 1001, 4895, 1001, 1001, 2583]],
  ["▁under ▁", [100, 100]],
  ["x² H₂O ½ Ⅳ ① ｆｕｌｌ ﷺ", [1060, 10701, 24833, 1092, 100, 100, 100, 100]],
  ["a\u0336b\u0336c\u0336 Z\u0351\u036b\u0343a\u0346l\u0300g\u0301o\u0310", [5925, 23564, 2140, 3995]],
  ["१२३ ١٢٣ ௧௨௩ 𝟙𝟚𝟛", [100, 100, 100, 100]],
  ["...!!!???---___", [1012, 1012, 1012, 999, 999, 999, 1029, 1029, 1029, 1011, 1011, 1011, 1035, 1035, 1035]],
  ["ʼn ǰ ẖ ὀδός ᾳ", [1146, 2078, 1046, 1044, 1169, 29722, 15297, 1155]],
];

let tokenizer: TextTokenizer;
let reference: (text: string) => number[];
beforeAll(async () => {
  tokenizer = await loadBertTokenizer();
  reference = referenceTokenizer(tokenizer.vocabulary);
});

describe("bert-base-uncased ids of awkward strings", () => {
  it.each(AWKWARD)("%j has the committed ids, by the library and by the rules", (text, ids) => {
    expect(tokenizer.ids(text)).toEqual(ids);
    expect(reference(text)).toEqual(ids);
  });

  it("agrees with the rules on random Unicode strings", () => {
    const text = fc.string({ unit: "binary", maxLength: 40 });
    const agree = fc.property(text, (s) => {
      expect(tokenizer.ids(s)).toEqual(reference(s));
    });
    fc.assert(agree, { numRuns: 1000 });
  });

  it("agrees with the rules on every character up to U+2FFFF between two letters", () => {
    const different: string[] = [];
    for (let code = 1; code < 0x30000; code += code < 0x3400 ? 1 : 17) {
      if (code >= 0xd800 && code < 0xe000) continue;
      const text = `a${String.fromCodePoint(code)}b`;
      if (tokenizer.ids(text).join() !== reference(text).join()) different.push(code.toString(16));
    }
    expect(different).toEqual([]);
  });
});

/** The function from a text to its ids without `[CLS]` and `[SEP]`. */
function referenceTokenizer(vocabulary: readonly string[]): (text: string) => number[] {
  const ids = new Map(vocabulary.map((entry, id) => [entry, id]));
  return (text) => textIds(text, ids);
}

function textIds(text: string, ids: ReadonlyMap<string, number>): number[] {
  return text
    .split(/(\[(?:PAD|UNK|CLS|SEP|MASK)\])/)
    .flatMap((part, i) => (i % 2 === 1 ? [part] : basicTokens(part).flatMap((word) => wordPieces(word, ids))))
    .map((piece) => ids.get(piece)!);
}

function basicTokens(text: string): string[] {
  let cleaned = "";
  for (const char of text) {
    const code = char.codePointAt(0)!;
    if (code === 0 || code === 0xfffd || isControl(char)) continue;
    if (isWhitespace(char)) cleaned += " ";
    else if (isIdeograph(code)) cleaned += ` ${char} `;
    else cleaned += char;
  }
  // Python's str.split() also splits at U+2028 and U+2029.
  const words = cleaned.split(/[ \u2028\u2029]+/).filter((word) => word !== "");
  return words.flatMap((word) => splitPunctuation(stripAccents(word.toLowerCase())));
}

function stripAccents(word: string): string {
  return Array.from(word.normalize("NFD"))
    .filter((char) => !/\p{Mn}/u.test(char))
    .join("");
}

function splitPunctuation(word: string): string[] {
  const out: string[] = [];
  let open = false;
  for (const char of word) {
    if (isPunctuation(char)) {
      out.push(char);
      open = false;
    } else if (open) out.push(out.pop()! + char);
    else {
      out.push(char);
      open = true;
    }
  }
  return out;
}

function wordPieces(word: string, ids: ReadonlyMap<string, number>): string[] {
  const chars = Array.from(word);
  if (chars.length > 100) return ["[UNK]"];
  const pieces: string[] = [];
  for (let start = 0; start < chars.length; ) {
    let end = chars.length;
    const piece = (): string => (start > 0 ? "##" : "") + chars.slice(start, end).join("");
    while (end > start && !ids.has(piece())) end--;
    if (end === start) return ["[UNK]"];
    pieces.push(piece());
    start = end;
  }
  return pieces;
}

function isControl(char: string): boolean {
  return !["\t", "\n", "\r"].includes(char) && /[\p{Cc}\p{Cf}\p{Co}\p{Cs}]/u.test(char);
}

function isWhitespace(char: string): boolean {
  return ["\t", "\n", "\r"].includes(char) || /\p{Zs}/u.test(char);
}

function isPunctuation(char: string): boolean {
  const code = char.codePointAt(0)!;
  const ascii =
    (code >= 33 && code <= 47) ||
    (code >= 58 && code <= 64) ||
    (code >= 91 && code <= 96) ||
    (code >= 123 && code <= 126);
  return ascii || /\p{P}/u.test(char);
}

function isIdeograph(code: number): boolean {
  const blocks = [
    [0x4e00, 0x9fff],
    [0x3400, 0x4dbf],
    [0x20000, 0x2a6df],
    [0x2a700, 0x2b73f],
    [0x2b740, 0x2b81f],
    [0x2b820, 0x2ceaf],
    [0xf900, 0xfaff],
    [0x2f800, 0x2fa1f],
  ];
  return blocks.some(([first, last]) => code >= first! && code <= last!);
}
