/** Node, the package, processors and memory. */
import { readFile } from "node:fs/promises";
import { totalmem } from "node:os";
import { environment } from "../../record/index.ts";
import { formatBytes } from "../progress.ts";
import type { Finding } from "./finding.ts";

/** Below this a tiny model trains, and not much else. */
const LITTLE_BYTES = 2 * 2 ** 30;

export async function machineFindings(): Promise<Finding[]> {
  const { node, flava, commit, cpu, processors, platform } = await environment("", 0);
  return [
    { name: "flava", status: "ok", found: `${flava}${commit ? `, commit ${commit.slice(0, 12)}` : ""}` },
    { name: "Node", status: "ok", found: `${node}, ${platform}` },
    processorFinding(cpu, processors, await processorQuota()),
    memoryFinding(totalmem(), process.constrainedMemory?.()),
  ];
}

/** Threads are as many as processors unless said; a container that may use less of them is slowed down by that. */
export function processorFinding(cpu: string, processors: number, quota: number | undefined): Finding {
  const found = `${processors} × ${cpu}`;
  if (quota === undefined || quota >= processors) return { name: "processors", status: "ok", found };
  return {
    name: "processors",
    status: "warning",
    found: `${found}; this container may use ${quota.toFixed(1)} of them (cgroup)`,
    help: `set as many threads: --set threads=${Math.max(1, Math.floor(quota))} in a pretraining, \`threads\` of openDevice`,
  };
}

export function memoryFinding(total: number, limit: number | undefined): Finding {
  const limited = limit !== undefined && limit > 0 && limit < total;
  const may = limited ? limit : total;
  const found = `${formatBytes(total)}${limited ? `, of which this container may use ${formatBytes(limit)} (cgroup)` : ""}`;
  if (may >= LITTLE_BYTES) return { name: "memory", status: "ok", found };
  return { name: "memory", status: "warning", found, help: "facebook/flava-full needs 2 GiB; tiny models work" };
}

/** Processors that the control group grants (cgroup v2, then v1); undefined without a limit. */
async function processorQuota(): Promise<number | undefined> {
  const read = (path: string): Promise<string> => readFile(`/sys/fs/cgroup/${path}`, "utf8").catch(() => "");
  const [quota, period] = (await read("cpu.max")).trim().split(" ");
  const [v1Quota, v1Period] = [await read("cpu/cpu.cfs_quota_us"), await read("cpu/cpu.cfs_period_us")];
  const share = Number(quota || v1Quota) / Number(period || v1Period);
  return share > 0 ? share : undefined;
}
