import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CheckpointError } from "../../errors.ts";
import { crc32c } from "./crc32c.ts";
import { type EventContent, eventFrame } from "./event.ts";
import { lossBoard, openEvents, openMetrics, openRunLog, parseMetrics } from "./index.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "flava-logs-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe("crc32c", () => {
  const vector = (bytes: Iterable<number>): string => crc32c(Uint8Array.from(bytes)).toString(16);
  it("gives the values of RFC 3720, appendix B.4", () => {
    expect(vector(new Uint8Array(32))).toBe("8a9136aa");
    expect(vector(new Uint8Array(32).fill(255))).toBe("62a8ab43");
    expect(vector(Array.from({ length: 32 }, (_, i) => i))).toBe("46dd794e");
    expect(vector(Array.from({ length: 32 }, (_, i) => 31 - i))).toBe("113fdb5c");
    expect(vector(new TextEncoder().encode("123456789"))).toBe("e3069283");
  });
});

describe("eventFrame", () => {
  it("gives the bytes that TensorBoard's own writer gives", async () => {
    const png = { png: Uint8Array.of(0x89, 0x50, 0x4e, 0x47), width: 3, height: 2 };
    const events: [number, number, EventContent][] = [
      [1700000000.5, 0, { version: "brain.Event:2" }],
      [1700000001, 1, { scalars: { loss: 0.1, größe: -2 } }],
      [1700000002, 300, { images: { picture: png } }],
      [1700000003, 2 ** 40, { texts: { note: "hallo, welt" } }],
      [1700000004, 5, { restart: true }],
    ];
    const ours = Buffer.concat(events.map((event) => eventFrame(...event)));
    const golden = await readFile(new URL("../../../test/golden/tensorboard/events.bin", import.meta.url));
    expect(ours.toString("hex")).toBe(golden.toString("hex"));
  });

  it("starts a file as every TensorBoard file starts", () => {
    // 24 bytes of event, the checksum of that length; field 1 is a double, field 3 the version.
    expect(Buffer.from(eventFrame(0, 0, { version: "brain.Event:2" })).toString("hex")).toMatch(
      /^1800000000000000a37f4b22090000000000000000(1a0d627261696e2e4576656e743a32).{8}$/,
    );
  });
});

describe("openEvents", () => {
  it("names its file as TensorBoard expects, and voids later steps when resumed", async () => {
    const now = (): number => 1700000000;
    await using writer = await openEvents(join(folder, "tb"), { resumedAt: 4, now });
    await writer.scalars(5, { loss: 1 });
    await writer.flush();
    expect(await readdir(join(folder, "tb"))).toEqual([expect.stringMatching(/^events\.out\.tfevents\.1700000000\./)]);
    const expected = [
      eventFrame(1700000000, 0, { version: "brain.Event:2" }),
      eventFrame(1700000000, 5, { restart: true }),
      eventFrame(1700000000, 5, { scalars: { loss: 1 } }),
    ];
    expect((await readFile(writer.path)).equals(Buffer.concat(expected))).toBe(true);
  });

  it("says where it cannot write", async () => {
    await writeFile(join(folder, "file"), "");
    await expect(openEvents(join(folder, "file", "tb"))).rejects.toThrow(CheckpointError);
  });
});

describe("openMetrics", () => {
  const path = (): string => join(folder, "metrics.jsonl");
  const stages = ["text", "joint"];
  const now = (): number => 1.23456;
  const run = async (lines: readonly (readonly [string, number])[], resumeAt?: { stage: string; step: number }) => {
    await using log = await openMetrics(path(), { stages, resumeAt, now });
    for (const [stage, step] of lines) await log.log(stage, step, { loss: step / 2 });
    await log.flush();
  };
  const places = async (): Promise<string[]> =>
    parseMetrics(await readFile(path(), "utf8")).map(({ stage, step }) => `${stage} ${step}`);

  it("writes a line a step, flat and readable by anything", async () => {
    await run([["text", 1]]);
    expect(await readFile(path(), "utf8")).toBe('{"stage":"text","step":1,"time":1.235,"loss":0.5}\n');
    expect(parseMetrics(await readFile(path(), "utf8"))).toEqual([
      { stage: "text", step: 1, time: 1.235, values: { loss: 0.5 } },
    ]);
  });

  it("is after a resumption what it would be without interruption", async () => {
    const whole = [
      ["text", 1],
      ["text", 2],
      ["joint", 1],
      ["joint", 2],
      ["joint", 3],
    ] as const;
    await run(whole);
    const uninterrupted = await readFile(path(), "utf8");
    for (const [stage, step] of whole) {
      const at = whole.findIndex(([s, n]) => s === stage && n === step);
      await run(whole.slice(at + 1), { stage, step });
      expect(await readFile(path(), "utf8")).toBe(uninterrupted);
    }
  });

  it("takes a torn last line away, and reads files that have one", async () => {
    await run([
      ["text", 1],
      ["text", 2],
    ]);
    await appendFile(path(), '{"stage":"text","st');
    expect(await places()).toEqual(["text 1", "text 2"]);
    await run([["text", 3]], { stage: "text", step: 2 });
    expect(await places()).toEqual(["text 1", "text 2", "text 3"]);
    expect(await readFile(path(), "utf8")).not.toContain('"st{');
  });

  it("starts a new run with an empty file, and an old run that has none with a new one", async () => {
    await run([["text", 9]]);
    await run([["text", 1]]);
    expect(await places()).toEqual(["text 1"]);
    await rm(path());
    await run([["joint", 6]], { stage: "joint", step: 5 });
    expect(await places()).toEqual(["joint 6"]);
  });

  it("drops lines of stages that come later, and of stages that no longer exist", async () => {
    await run([
      ["text", 1],
      ["joint", 1],
      ["gone", 1],
    ]);
    await run([], { stage: "text", step: 1 });
    expect(await places()).toEqual(["text 1"]);
  });

  it("writes a number that is not finite as null", async () => {
    await using log = await openMetrics(path(), { stages });
    await log.log("text", 1, { loss: Number.NaN });
    expect(parseMetrics(await readFile(path(), "utf8"))[0]!.values).toEqual({ loss: null });
  });

  it("never fails to read what a cut anywhere leaves, and never invents a line", async () => {
    await run([
      ["text", 1],
      ["joint", 1],
      ["joint", 22],
    ]);
    const text = await readFile(path(), "utf8");
    fc.assert(
      fc.property(fc.nat(text.length), (end) => {
        const lines = text.slice(0, end).split("\n").length - 1;
        const found = parseMetrics(text.slice(0, end)).length;
        expect(found - lines).toBe(text[end] === "\n" && end > 0 ? 1 : 0);
      }),
    );
  });
});

describe("openRunLog", () => {
  it("writes metrics.jsonl and an event file a stage", async () => {
    await using log = await openRunLog(folder, { stages: ["text", "joint"] });
    await log.log("text", 1, { loss: 2 });
    await log.log("joint", 1, { loss: 3 });
    await (await log.events("joint")).text(1, "captions", "a cat");
    await log.flush();
    expect((await readdir(folder)).sort()).toEqual(["metrics.jsonl", "tensorboard"]);
    expect((await readdir(join(folder, "tensorboard"))).sort()).toEqual(["joint", "text"]);
    expect(parseMetrics(await readFile(join(folder, "metrics.jsonl"), "utf8"))).toHaveLength(2);
  });
});

describe("lossBoard", () => {
  it("keeps the newest of each loss beside its chance level, though a step has only some", () => {
    const board = lossBoard({ mim: Math.log(512), mlm: Math.log(4000) });
    board.update({ loss: 6, mim: 6.2 });
    expect(board.update({ loss: 8, mlm: 8, samples_per_second: 812.4, "time/data": 0.013 })).toBe(
      "mim 6.20 (chance 6.24), mlm 8.00 (chance 8.29), 812 samples/s, data wait 1 %",
    );
  });
  it("shows the plain loss where nothing has a chance level", () => {
    expect(lossBoard({}).update({ loss: 0.123456 })).toBe("loss 0.1235");
  });
});
