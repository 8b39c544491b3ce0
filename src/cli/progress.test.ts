import { describe, expect, it } from "vitest";
import { createProgress, formatBytes, formatCount, formatDuration, type Progress } from "./progress.ts";

function setUp(options: { isTTY?: boolean; columns?: number; total?: number; quiet?: boolean; start?: number } = {}) {
  const { isTTY, columns, ...rest } = options;
  const written: string[] = [];
  const clock = { ms: 0 };
  const progress: Progress = createProgress({
    label: "reading",
    unit: "samples",
    ...rest,
    stream: { write: (text) => written.push(text), isTTY, columns },
    now: () => clock.ms,
  });
  return { written, clock, progress };
}

describe("createProgress", () => {
  it("prints a line an interval in a pipe, with rate and time left", () => {
    const { written, clock, progress } = setUp({ total: 1000 });
    for (let i = 1; i <= 40; i++) {
      clock.ms += 500;
      progress.update(i * 10, `loss ${i}`);
    }
    expect(written).toEqual([
      "reading: 200/1,000 samples (20 %), 20.0 samples/s, 40 s left, loss 20\n",
      "reading: 400/1,000 samples (40 %), 20.0 samples/s, 30 s left, loss 40\n",
    ]);
    progress.end();
    progress.end();
    expect(written.at(-1)).toBe("reading: 400/1,000 samples (40 %), 20.0 samples/s, in 20 s, loss 40\n");
    expect(written).toHaveLength(3);
  });

  it("rewrites one line on a terminal, cut to its width", () => {
    const { written, clock, progress } = setUp({ isTTY: true, columns: 30 });
    clock.ms += 50;
    progress.update(1);
    expect(written).toEqual([]);
    clock.ms += 100;
    progress.update(2, "a long text behind the figures");
    expect(written).toHaveLength(1);
    expect(written[0]).toContain("\r\u001b[Kreading: 2 samples");
    expect(written[0]!.slice(4)).toHaveLength(29);
    progress.end();
    expect(written.at(-1)).toMatch(/\n$/);
  });

  it("counts a resumed run's rate from where it started", () => {
    const { written, clock, progress } = setUp({ start: 5000, total: 6000 });
    clock.ms += 10_000;
    progress.update(5100);
    expect(written[0]).toBe("reading: 5,100/6,000 samples (85 %), 10.0 samples/s, 1 min 30 s left\n");
  });

  it("gives no time left where nothing moves", () => {
    const { written, clock, progress } = setUp({ total: 1000 });
    clock.ms += 10_000;
    progress.update(1e-6);
    expect(written[0]).not.toContain("left");
  });

  it("prints nothing where it is quiet", () => {
    const { written, clock, progress } = setUp({ quiet: true });
    clock.ms += 100_000;
    progress.update(5);
    progress.note("x");
    progress.end();
    expect(written).toEqual([]);
  });
});

describe("formats", () => {
  it("are for people", () => {
    expect([999, 1000, 1234567].map(formatCount)).toEqual(["999", "1,000", "1,234,567"]);
    expect([0.5, 42.4, 61, 3725, Number.POSITIVE_INFINITY].map(formatDuration)).toEqual([
      "0.5 s",
      "42 s",
      "1 min 1 s",
      "1 h 2 min",
      "?",
    ]);
    expect([0, 1023, 1536, 20 * 2 ** 20].map(formatBytes)).toEqual(["0 B", "1023 B", "1.5 KiB", "20 MiB"]);
  });
});
