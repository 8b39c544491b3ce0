import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FileError } from "../../errors.ts";
import { crc32c } from "./crc32c.ts";
import { type EventContent, eventFrame } from "./event.ts";
import { openEvents, openMetrics, openRunLog, parseMetrics } from "./index.ts";

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
  it("names its file as TensorBoard expects, and voids what earlier files hold of steps to come", async () => {
    const now = (): number => 1700000000;
    const write = async (keepUntil?: number): Promise<Buffer> => {
      await using writer = await openEvents(join(folder, "tb"), { keepUntil, now });
      await writer.scalars(5, { loss: 1 });
      await writer.flush();
      return readFile(writer.path);
    };
    const [version, scalars] = [{ version: "brain.Event:2" }, { scalars: { loss: 1 } }];
    const frames = (restart?: number): Buffer =>
      Buffer.concat([
        eventFrame(1700000000, 0, version),
        ...(restart === undefined ? [] : [eventFrame(1700000000, restart, { restart: true })]),
        eventFrame(1700000000, 5, scalars),
      ]);
    expect(await write(0), "nothing earlier to void").toEqual(frames());
    expect(await write(4), "the stage goes on").toEqual(frames(5));
    expect(await write(0), "the stage begins anew").toEqual(frames(0));
    expect(await write(), "nothing is void").toEqual(frames());
    for (const name of await readdir(join(folder, "tb"))) expect(name).toMatch(/^events\.out\.tfevents\.1700000000\./);
  });

  it("says where it cannot write", async () => {
    await writeFile(join(folder, "file"), "");
    await expect(openEvents(join(folder, "file", "tb"))).rejects.toThrow(FileError);
  });
});

describe("openMetrics", () => {
  const path = (): string => join(folder, "metrics.jsonl");
  const running = ["text", "joint"];
  const now = (): number => 1.23456;
  const run = async (lines: readonly (readonly [string, number])[], at?: { stage: string; step: number }) => {
    const which = at ? { running: running.slice(running.indexOf(at.stage)), resumedAt: at.step } : { running };
    await using log = await openMetrics(path(), { ...which, now });
    for (const [stage, step] of lines) await log.log(stage, step, { loss: step / 2 });
    await log.flush();
    return log.removed;
  };
  const places = async (): Promise<string[]> =>
    parseMetrics(await readFile(path(), "utf8")).lines.map(({ stage, step }) => `${stage} ${step}`);

  it("writes a line a step, flat and readable by anything", async () => {
    await run([["text", 1]]);
    expect(await readFile(path(), "utf8")).toBe('{"stage":"text","step":1,"time":1.235,"loss":0.5}\n');
    expect(parseMetrics(await readFile(path(), "utf8")).lines).toEqual([
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

  it("drops lines of the stages that run, and says how many; those of other stages stay", async () => {
    await run([
      ["text", 1],
      ["joint", 1],
      ["joint", 2],
    ]);
    expect(await run([], { stage: "text", step: 1 })).toBe(2);
    expect(await places()).toEqual(["text 1"]);
    await using image = await openMetrics(path(), { running: ["image"] });
    await image.log("image", 1, { loss: 1 });
    expect(image.removed).toBe(0);
    expect(await places()).toEqual(["text 1", "image 1"]);
  });

  it("writes a number that is not finite as null", async () => {
    await using log = await openMetrics(path(), { running });
    await log.log("text", 1, { loss: Number.NaN });
    expect(parseMetrics(await readFile(path(), "utf8")).lines[0]!.values).toEqual({ loss: null });
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
        const found = parseMetrics(text.slice(0, end)).lines.length;
        expect(found - lines).toBe(text[end] === "\n" && end > 0 ? 1 : 0);
      }),
    );
  });
});

describe("openRunLog", () => {
  it("writes metrics.jsonl and an event file a stage", async () => {
    await using log = await openRunLog(folder, { running: ["text", "joint"] });
    await log.log("text", 1, { loss: 2 });
    await log.log("joint", 1, { loss: 3 });
    await (await log.events("joint")).text(1, "captions", "a cat");
    await log.flush();
    expect((await readdir(folder)).sort()).toEqual(["metrics.jsonl", "tensorboard"]);
    expect((await readdir(join(folder, "tensorboard"))).sort()).toEqual(["joint", "text"]);
    expect(parseMetrics(await readFile(join(folder, "metrics.jsonl"), "utf8")).lines).toHaveLength(2);
  });

  it("voids the event files of every stage that runs again, even if the run does not get to it", async () => {
    const first = await openRunLog(folder, { running: ["image", "text", "joint"] });
    for (const stage of ["image", "text", "joint"]) await first.log(stage, 1, { loss: 1 });
    await first.close();
    const markers = async (): Promise<string[]> => {
      const found: string[] = [];
      for (const stage of ["image", "joint", "text"])
        for (const name of await readdir(join(folder, "tensorboard", stage))) {
          const bytes = await readFile(join(folder, "tensorboard", stage, name));
          // field 7, SessionLog, with status START: 3a 02 08 01
          if (bytes.includes(Buffer.from("3a020801", "hex"))) found.push(stage);
        }
      return found;
    };
    expect(await markers()).toEqual([]);
    await (await openRunLog(folder, { running: ["text", "joint"], resumedAt: 1 })).close();
    expect(await markers()).toEqual(["joint", "text"]);
  });
});
