// What the parts of one run share: time, networks, checkers, trace. Holds references and passes things on; the course of
// a run is simulation.ts's.

import { formatZxid, type ServerId, type Zxid } from '../shared/ids.js';
import type { SeededRandom } from '../shared/random.js';
import { decodePeerMessage } from '../wire/peer-codec.js';
import { Acknowledgements } from './checkers/acknowledgements.js';
import { Deliveries } from './checkers/deliveries.js';
import { type EnsembleChecker, EnsembleView, type NodeView } from './checkers/ensemble-view.js';
import { EpochLeaders } from './checkers/epoch-leaders.js';
import { EpochRecords } from './checkers/epoch-records.js';
import { LogShape } from './checkers/log-shape.js';
import { PrimaryOrder } from './checkers/primary-order.js';
import { SteadyLeader } from './checkers/steady-leader.js';
import { checkTreeContent } from './checkers/tree-content.js';
import { NetworkConditions } from './network-conditions.js';
import type { RunPlan } from './run-plan.js';
import { ElectionFabric } from './simulated-election-network.js';
import { PeerFabric } from './simulated-peer-network.js';
import { Trace } from './trace.js';
import { VirtualClock } from './virtual-clock.js';

export class World {
  readonly clock = new VirtualClock();
  readonly trace: Trace;
  readonly view: EnsembleView;
  readonly conditions: NetworkConditions;
  readonly election: ElectionFabric;
  readonly peers: PeerFabric;
  readonly random: SeededRandom;
  /** Hash of the history up to each batch as its first writer had it, by the batch's last zxid. */
  readonly histories = new Map<Zxid, number>();
  /** Faults may strike. */
  faulty = false;
  private readonly checkers: readonly EnsembleChecker[];
  private readonly treesDue = new Set<NodeView>();

  constructor(options: {
    readonly serverIds: readonly ServerId[];
    readonly plan: RunPlan;
    readonly random: SeededRandom;
    readonly verbose: boolean;
  }) {
    const { serverIds, plan, random } = options;
    this.random = random;
    this.trace = new Trace(options.verbose);
    this.trace.nowMs = () => this.clock.nowMs();
    this.view = new EnsembleView(serverIds);
    this.view.nowMs = () => this.clock.nowMs();
    this.conditions = new NetworkConditions(serverIds.length, plan.network, random);
    this.election = new ElectionFabric({
      clock: this.clock,
      conditions: this.conditions,
      serverIds,
      datagramBytesMax: plan.limits.datagramBytesMax,
      tap: (from, to, message) => {
        this.trace.number(message.round);
        this.check((checker) => checker.voted?.(this.view.node(from), message));
        if (this.trace.verbose) this.say(from, `⇢ ${to} ${describe(message)}`);
      },
    });
    this.peers = new PeerFabric({
      conditions: this.conditions,
      serverIds,
      connectTimeoutMs: plan.timing.syncLimitMs,
      frameBytesMax: plan.limits.peerFrameBytesMax,
      tap: (from, to, channel, link, frame) => {
        this.trace.bytes(frame);
        if (channel === 'quorum') this.sent(from, to, link, frame);
      },
    });
    this.conditions.onOpened = () => this.peers.pathOpened();
    this.checkers = [
      new LogShape(this.view),
      new EpochLeaders(this.view),
      new EpochRecords(this.view),
      new PrimaryOrder(this.view),
      new Acknowledgements(this.view),
      new Deliveries(this.view),
      ...(mustHoldStill(plan) ? [new SteadyLeader(this.view)] : []),
    ];
  }

  check(tell: (checker: EnsembleChecker) => void): void {
    for (const checker of this.checkers) tell(checker);
  }

  /** The node's tree is to be compared with the ledger once the present task is over. */
  treeDue(node: NodeView): void {
    this.treesDue.add(node);
  }

  checkTreesDue(): void {
    if (this.treesDue.size === 0) return;
    for (const node of this.treesDue) checkTreeContent(this.view, node);
    this.treesDue.clear();
  }

  say(node: number, text: string): void {
    this.trace.line(`node ${node} ${text}`);
  }

  /** A node that has gone down by itself comes back after a while. */
  restartLater(node: { boot(): void }): void {
    this.clock.after(10 + this.random.next() * 800, () => node.boot());
  }

  private sent(from: number, to: number, link: number, frame: Uint8Array): void {
    const { message } = decodePeerMessage(frame);
    if (this.trace.verbose && message.type !== 'ping' && message.type !== 'pong') {
      const { type, ...fields } = message;
      this.say(from, `→ ${to} ${type} ${describe(fields)}`);
    }
    this.check((checker) => checker.sent?.(this.view.node(from), this.view.node(to), link, message));
  }
}

/** Nothing can happen to a leader in this run: it is never cut off, not even in the end. */
function mustHoldStill(plan: RunPlan): boolean {
  return !plan.quorumFirst && plan.faults.every((kind) => kind === 'flap');
}

function describe(message: unknown): string {
  return JSON.stringify(message, (key, value: unknown) => {
    if (value instanceof Uint8Array) return `${value.length} bytes`;
    const zxid = typeof value === 'number' && ['lastZxid', 'committed', 'durable', 'to', 'first', 'last'].includes(key);
    return zxid ? formatZxid(value as Zxid) : value;
  });
}
