/** The collectives under real launchers. Slow: needs Open MPI and MPICH, and starts several processes a test. */
import { describe, expect, it } from "vitest";
import { byRank, mpis, onRanks } from "../support/mpi.ts";

const CODE = `
import { gatherTexts, openMpi } from ${JSON.stringify(new URL("../../dist/cluster/index.js", import.meta.url).href)};
const c = await openMpi();
const all = new Float32Array(2 * c.size);
all.fill(c.rank + 1, 2 * c.rank, 2 * c.rank + 2);
await c.allGather(all);
const sum = Float64Array.of(c.rank + 1, 0.5);
await c.allReduce(sum);
const ranks = new Float32Array(c.size);
await c.allGather(ranks, Float32Array.of(c.rank));
const own = new Float32Array(2);
await c.reduceScatter(Float32Array.from({ length: 2 * c.size }, (_, i) => i * (c.rank + 1)), own);
const told = Int32Array.of(7 * c.rank);
await c.broadcast(told, 1);
const mine = new Float32Array(2);
const ways = [c.beginReduceScatter(Float32Array.from({ length: 2 * c.size }, (_, i) => i * (c.rank + 1)), mine)];
const large = new Float32Array(2 ** 20).fill(c.rank + 1);
const tenth = Float32Array.of(0.1 * (c.rank + 1));
ways.push(c.beginAllReduce(large), c.beginAllReduce(tenth));
await c.barrier();
await new Promise((resolve) => setTimeout(resolve, 20));
for (const way of ways) await way.arrive();
const texts = await gatherTexts(c, "é".repeat(c.rank));
const [first, second] = [Float64Array.of(1), Float64Array.of(2)];
await Promise.all([c.allReduce(first), c.allReduce(second), c.barrier()]);
console.log(JSON.stringify({
  rank: c.rank, size: c.size, abi: c.library.abi.name, told: told[0], texts,
  ranks: [...ranks], all: [...all], sum: [...sum], own: [...own], mine: [...mine],
  large: [large[0], large[2 ** 20 - 1]], tenth: tenth[0], together: [first[0], second[0]],
}));
await c.close();
`;

const node = ["--input-type=module", "-e", CODE];

for (const mpi of mpis)
  describe.skipIf(!mpi.command)(
    `${mpi.name}${mpi.command ? "" : ` (not here: apt-get install ${mpi.package})`}`,
    () => {
      it.each([2, 4])("gathers, adds up, scatters and tells on %i ranks", async (size) => {
        const ran = await onRanks(mpi, size, node);
        expect(ran.stderr).toBe("");
        const total = (size * (size + 1)) / 2;
        const ranks = Array.from({ length: size }, (_, rank) => rank);
        expect(byRank(ran)).toEqual(
          ranks.map((rank) => ({
            rank,
            size,
            abi: mpi.name,
            told: 7,
            ranks,
            texts: ranks.map((r) => "é".repeat(r)),
            all: ranks.flatMap((r) => [r + 1, r + 1]),
            sum: [total, size / 2],
            mine: [2 * rank * total, (2 * rank + 1) * total],
            large: [total, total],
            tenth: expect.closeTo(total / 10, 6),
            own: [2 * rank * total, (2 * rank + 1) * total],
            together: [size, 2 * size],
          })),
        );
      });

      it.runIf(mpi.name === "Open MPI")(
        "is not started on fewer slots than workers, which the launcher says",
        async () => {
          const strict = { ...mpi, args: ["--bind-to", "none"] };
          const ran = await onRanks(strict, 1024, node);
          expect(ran.code).not.toBe(0);
          expect(ran.stdout).toBe("");
          expect(ran.stderr).toMatch(/not enough slots/);
        },
      );

      it("is refused under another launcher, with what to do", async () => {
        const other = mpis.find(({ name, command }) => name !== mpi.name && command);
        if (!other) return;
        const code = CODE.replace(
          "openMpi()",
          `openMpi({ library: "${mpi.name === "MPICH" ? "libmpich.so.12" : "libmpi.so.40"}" })`,
        );
        const ran = await onRanks(other, 2, ["--input-type=module", "-e", code]);
        expect(ran.code).not.toBe(0);
        expect(ran.stderr).toMatch(
          /has started 2 processes, and .* sees 1\n *help: start with the launcher of this library/,
        );
      });
    },
  );
