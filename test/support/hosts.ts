/** Two network namespaces of this machine as hosts of an MPI job: they reach each other over one link alone, which can be cut. */
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Mpi, type Ran, ran } from "./mpi.ts";

const ADDRESSES = ["10.77.0.1", "10.77.0.2"] as const;
const NETWORK = "10.77.0.0/24";

/** Whether namespaces can be made here: as root, with iproute2 and util-linux. */
export function canMakeHosts(): boolean {
  const name = `flava-${process.pid}-try`;
  const made = spawnSync("ip", ["netns", "add", name]).status === 0;
  if (made) spawnSync("ip", ["netns", "del", name]);
  return made && spawnSync("unshare", ["--uts", "hostname", "flava"]).status === 0;
}

export interface Hosts extends Disposable {
  /** Runs node with these arguments on both hosts, a rank on each. */
  run(mpi: Mpi, node: readonly string[], seconds?: number): Promise<Ran>;
  /** Takes the link down, as when a cable is pulled: nobody is told. */
  disconnect(): void;
}

/** Makes the hosts; the script that stands for ssh goes into `folder`. */
export function makeHosts(folder: string): Hosts {
  const names = ["a", "b"].map((letter) => `flava-${process.pid}-${letter}`) as [string, string];
  const links = names.map((_, i) => `fl${process.pid}${"ab"[i]}`) as [string, string];
  const ip = (...args: string[]): void => void execFileSync("ip", args, { stdio: "pipe" });
  for (const name of names) ip("netns", "add", name);
  ip("link", "add", links[0], "type", "veth", "peer", "name", links[1]);
  for (const [i, name] of names.entries()) {
    ip("link", "set", links[i]!, "netns", name);
    ip("-n", name, "addr", "add", `${ADDRESSES[i]}/24`, "dev", links[i]!);
    ip("-n", name, "link", "set", "lo", "up");
    ip("-n", name, "link", "set", links[i]!, "up");
  }
  const agent = join(folder, "ssh");
  writeFileSync(agent, agentScript(names));
  chmodSync(agent, 0o755);
  return {
    run: (mpi, node, seconds = 120) => {
      const command = [mpi.command!, ...launching(mpi, agent), process.execPath, ...node];
      return ran(agent, [ADDRESSES[0], ...command], seconds);
    },
    disconnect: () => ip("-n", names[1], "link", "set", links[1], "down"),
    [Symbol.dispose]() {
      for (const name of names) {
        const pids = spawnSync("ip", ["netns", "pids", name], { encoding: "utf8" }).stdout.split("\n").filter(Boolean);
        for (const pid of pids) spawnSync("kill", ["-9", pid]);
        ip("netns", "del", name);
      }
    },
  };
}

/** HOST COMMAND…: runs the command there, under a host name of its own, by which libraries tell machines apart. */
const agentScript = ([a, b]: readonly [string, string]): string => `#!/bin/bash
while [[ $1 == -* ]]; do shift; done
case $1 in ${ADDRESSES[0]}) name=${a} ;; ${ADDRESSES[1]}) name=${b} ;; *) echo "no host $1" >&2; exit 1 ;; esac
shift
exec ip netns exec $name unshare --uts bash -c "hostname $name; $*"
`;

const launching = ({ name }: Mpi, agent: string): readonly string[] =>
  name === "Open MPI"
    ? [
        ...["--host", ADDRESSES.map((address) => `${address}:1`).join(","), "-n", "2", "--bind-to", "none"],
        ...["--mca", "plm_rsh_agent", agent, "--mca", "oob_tcp_if_include", NETWORK],
        ...["--mca", "pml", "ob1", "--mca", "btl", "tcp,self", "--mca", "btl_tcp_if_include", NETWORK],
        ...["--mca", "mpi_yield_when_idle", "1"],
      ]
    : ["-hosts", ADDRESSES.join(","), "-launcher", "ssh", "-launcher-exec", agent, "-n", "2"];
