/**
 * Two network namespaces as two hosts that lose each other. Slow: a job on two hosts, which must wait. Needs root, `ip` of iproute2 and
 * Open MPI; skipped, and said so, without them.
 */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { latestCheckpoint } from "../../src/record/index.ts";
import { mpis } from "../support/mpi.ts";
import { TINY_RUN } from "../support/tiny-run.ts";

const BIN = fileURLToPath(new URL("../../dist/cli/bin.js", import.meta.url));
const HOSTS = [`flava-a${process.pid}`, `flava-b${process.pid}`] as const;
const ADDRESSES = ["10.231.7.1", "10.231.7.2"] as const;
const NET = "10.231.7.0/24";
const [openMpi] = mpis;

const ip = (...args: string[]): void => void execFileSync("ip", args, { stdio: "pipe" });
const within = (host: string, ...args: string[]): void => ip("-n", host, ...args);

/** Whether namespaces can be made here. */
function mayMakeHosts(): boolean {
  const name = `${HOSTS[0]}t`;
  const made = spawnSync("ip", ["netns", "add", name]).status === 0;
  if (made) spawnSync("ip", ["netns", "delete", name]);
  return made;
}

function makeHosts(): void {
  for (const host of HOSTS) ip("netns", "add", host);
  ip("link", "add", "flava0", "netns", HOSTS[0], "type", "veth", "peer", "name", "flava0", "netns", HOSTS[1]);
  for (const [i, host] of HOSTS.entries()) {
    within(host, "address", "add", `${ADDRESSES[i]}/24`, "dev", "flava0");
    for (const link of ["lo", "flava0"]) within(host, "link", "set", link, "up");
  }
}

/** Ends what runs there, and takes the hosts away. */
function removeHosts(): void {
  for (const host of HOSTS) {
    const pids =
      spawnSync("ip", ["netns", "pids", host], { encoding: "utf8" }).stdout?.split("\n").filter(Boolean) ?? [];
    for (const pid of pids) spawnSync("kill", ["-9", pid]);
    spawnSync("ip", ["netns", "delete", host]);
  }
}

const lacks = !openMpi?.command || openMpi.name !== "Open MPI" ? "Open MPI" : mayMakeHosts() ? "" : "root and iproute2";

describe.skipIf(lacks)(`two hosts${lacks && ` (skipped: needs ${lacks})`}`, () => {
  let folder = "";
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "flava-hosts-"));
    makeHosts();
  });
  afterAll(async () => {
    removeHosts();
    await rm(folder, { recursive: true, force: true });
  });

  it("that lose each other are told so, and leave the last checkpoint whole", async () => {
    const agent = join(folder, "agent"); // in the place of ssh: host and command
    await writeFile(agent, `#!/bin/sh\nshift\nexec ip netns exec ${HOSTS[1]} sh -c "$*"\n`);
    await chmod(agent, 0o755);
    const recipe = join(folder, "recipe.yaml");
    const often = { steps: 5000, batchSize: 12, best: null, every: { log: 1, eval: 0, save: 1 }, saveTotalLimit: 2 };
    const stages = { text: { ...TINY_RUN.stages.text, ...often } };
    await writeFile(recipe, JSON.stringify({ ...TINY_RUN, evaluation: {}, stages }));
    const runDir = join(folder, "run");
    const mca = Object.entries({
      plm_rsh_agent: agent,
      btl: "tcp,self",
      btl_tcp_if_include: NET,
      oob_tcp_if_include: NET,
      mpi_yield_when_idle: "1",
    }).flatMap(([name, value]) => ["--mca", name, value]);
    const hosts = ["--host", ADDRESSES.map((address) => `${address}:1`).join(","), "-n", "2", "--bind-to", "none"];
    const pretrain = [BIN, "pretrain", recipe, "--run-dir", runDir, "--quiet", "--patience", "5"];
    const job = spawn(
      "ip",
      [
        "netns",
        "exec",
        HOSTS[0],
        openMpi!.command!,
        "--allow-run-as-root",
        ...mca,
        ...hosts,
        process.execPath,
        ...pretrain,
      ],
      { stdio: ["ignore", "ignore", "pipe"] },
    );
    let said = "";
    job.stderr.on("data", (text) => {
      said += text;
    });
    const saved = async (): Promise<number> =>
      (await latestCheckpoint(join(runDir, "text"), { onDamaged: () => undefined }).catch(() => undefined))?.step ?? 0;
    await expect.poll(saved, { timeout: 60_000, message: said }).toBeGreaterThan(1);
    within(HOSTS[0], "link", "set", "flava0", "down");
    await expect.poll(() => said, { timeout: 30_000 }).toMatch(/worker 1 of 2 has not come to MPI_\w+/);
    expect(await saved()).toBeGreaterThan(1);
  });
});
