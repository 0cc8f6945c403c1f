import type { Lab } from '../lab/lab.ts';
import { beyondIdle, loadOf, loadWindow } from './load-window.ts';

const RUNS = 40;

/** The commands of ckptd, of the naive way, and the cheapest RPC there is. */
const COMMANDS: readonly (readonly [what: string, command: string])[] = [
  ['scontrol ping (an empty RPC)', 'scontrol ping'],
  ["ckptd's look at its node", "sinfo --all -h -n n1 -O 'NodeList:|,StateComplete:|,Reason:'"],
  ["ckptd's look at a job", 'squeue --local --all --noconvert -h -t all -j 1 -O JobID,State,NodeList,Name'],
  [
    "ckptd's reconcile where sockets cannot be read",
    'squeue --local --all -h -w n1 -O JobID,RestartCnt,State',
  ],
  ["ckptd's start", 'scontrol show config'],
  ['squeue -w n1', 'squeue -w n1'],
  ['scontrol show node n1', 'scontrol show node n1'],
];

/** What each command costs slurmctld: CPU beyond idle, its handlers' wall time by sdiag (both ms), and the RPCs. */
export async function rpcCosts({ ctl, nodes }: Lab) {
  const [node] = nodes;
  const idle = await loadWindow(ctl, 5);
  const prices: [string, number, number, string][] = [];
  for (const [what, command] of COMMANDS) {
    const loop = `for i in $(seq ${RUNS}); do ${command}; done >/dev/null`;
    const load = await loadOf(ctl, () => node!.run(loop, { reject: false }));
    const micros = [...load.rpcs.values()].reduce((sum, rpc) => sum + rpc.micros, 0);
    const rpcs = [...load.rpcs].filter(([, { count }]) => count >= RUNS).map(([type]) => type);
    prices.push([what, beyondIdle(load, idle) / RUNS, micros / 1000 / RUNS, rpcs.join(' + ')]);
  }
  return prices;
}
