/** What MPI there is, and under a launcher how the workers reach each other. */
import { availableParallelism, cpus, hostname } from "node:os";
import { type Cluster, gatherTexts, launchOf, loadMpi, openMpi } from "../../cluster/index.ts";
import { type Finding, failed } from "./finding.ts";

const WITHOUT = "mpirun -n 2 flava doctor --mpi also looks at how workers reach each other";

/** The findings of this worker; those that follow have none, and only take part. */
export async function mpiFindings(library: string | undefined): Promise<Finding[]> {
  const launch = launchOf(process.env);
  try {
    const { version, path, abi } = await loadMpi(library, launch?.library);
    const found: Finding = { name: "MPI", status: "ok", found: `${version}, ${path}, as ${abi.name}` };
    if (!launch)
      return [found, { name: "workers", status: "note", found: "no launcher has started this process", help: WITHOUT }];
    const cluster = await openMpi({ library });
    const findings = [found, ...(await workerFindings(cluster, launch.launcher))];
    await cluster.close();
    return cluster.rank === 0 ? findings : [];
  } catch (error) {
    return [failed("MPI", "broken", error)];
  }
}

async function workerFindings(cluster: Cluster, launcher: string): Promise<Finding[]> {
  const { size } = cluster;
  const hosts = await gatherTexts(cluster, hostname());
  const [may, all] = [availableParallelism(), cpus().length];
  const pinned = (await gatherTexts(cluster, `${may} of ${all}`)).map((text, rank) => ({ rank, text }));
  const bound = pinned.filter(({ text }) => !isAll(text));
  return [
    { name: "workers", status: "ok", found: `${size}, by ${launcher}, on ${new Set(hosts).size} machines` },
    await ring(cluster),
    await speed(cluster),
    bound.length === 0
      ? { name: "pinning", status: "ok", found: "none: workers of a machine share its processors" }
      : {
          name: "pinning",
          status: "warning",
          found: bound.map(({ rank, text }) => `worker ${rank} may use ${text} processors`).join(", "),
          help: "fine where that is its share; else mpirun --bind-to none, or --map-by slot:PE=N",
        },
  ];
}

const isAll = (text: string): boolean => new Set(text.split(" of ")).size === 1;

/** Each worker in turn tells all others a number that grows by one on its way. */
async function ring(cluster: Cluster): Promise<Finding> {
  const token = Float64Array.of(0);
  for (let rank = 0; rank < cluster.size; rank++) {
    if (cluster.rank === rank) token[0]! += 1;
    await cluster.broadcast(token, rank);
  }
  const came = token[0]!;
  return came === cluster.size
    ? { name: "ring", status: "ok", found: `a number went through ${came} workers` }
    : {
        name: "ring",
        status: "broken",
        found: `expected a number that went through ${cluster.size} workers, got ${came}`,
      };
}

const [CALLS, ELEMENTS, ROUNDS] = [200, 2 ** 20, 5];

async function speed(cluster: Cluster): Promise<Finding> {
  const timed = async (times: number, work: () => Promise<void>): Promise<number> => {
    await cluster.barrier();
    const begun = performance.now();
    for (let i = 0; i < times; i++) await work();
    return (performance.now() - begun) / times;
  };
  const [small, large] = [new Float32Array(1), new Float32Array(ELEMENTS)];
  const call = await timed(CALLS, () => cluster.allReduce(small));
  const sum = await timed(ROUNDS, () => cluster.allReduce(large));
  const rate = large.byteLength / 2 ** 20 / (sum / 1000);
  return {
    name: "sums",
    status: "ok",
    found: `${(1000 * call).toFixed(0)} µs a call, ${rate.toFixed(0)} MiB/s of gradients`,
  };
}
