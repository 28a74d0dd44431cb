// Election datagrams on the simulated network: lost, duplicated, delayed and thereby reordered. Like the production
// socket it drops whatever is not newer than the last one of its sender. Travels as encoded bytes.

import type { ElectionNetwork } from '../ensemble/ports.js';
import { assert } from '../shared/assert.js';
import type { Bytes } from '../shared/bytes.js';
import { groupZero, type ServerId } from '../shared/ids.js';
import { encodeElectionDatagram, readElectionDatagram } from '../wire/election-codec.js';
import type { ElectionMessage } from '../zab/messages.js';
import type { NetworkConditions } from './network-conditions.js';
import type { NodeScheduler, VirtualClock } from './virtual-clock.js';

/** What orders a node's datagrams: its directory, its boot, its count. */
export interface DatagramStamp {
  readonly incarnation: string;
  readonly boot: number;
  readonly sequence: number;
}

/** All simulated nodes are configured alike. */
const membershipHash = '0'.repeat(16);

export interface ElectionFabricOptions {
  readonly clock: VirtualClock;
  readonly conditions: NetworkConditions;
  readonly serverIds: readonly ServerId[];
  readonly datagramBytesMax: number;
  readonly tap?: (from: number, to: number, message: ElectionMessage) => void;
}

/** Everything that all election sockets share. */
export class ElectionFabric {
  readonly options: ElectionFabricOptions;
  private readonly indexes = new Map<ServerId, number>();
  private readonly sockets: (SimulatedElectionNetwork | undefined)[];

  constructor(options: ElectionFabricOptions) {
    this.options = options;
    for (const [index, id] of options.serverIds.entries()) this.indexes.set(id, index);
    this.sockets = new Array<SimulatedElectionNetwork | undefined>(options.serverIds.length).fill(undefined);
  }

  /** Binds the socket of one boot of a node in place of its former one. */
  bind(
    node: number,
    scheduler: NodeScheduler,
    identity: { readonly incarnation: string; readonly boot: number },
  ): SimulatedElectionNetwork {
    const socket = new SimulatedElectionNetwork(this, node, scheduler, identity);
    this.sockets[node] = socket;
    return socket;
  }

  send(from: number, to: ServerId, message: ElectionMessage, stamp: DatagramStamp): void {
    const { conditions, serverIds, datagramBytesMax } = this.options;
    const target = this.indexes.get(to);
    assert(target !== undefined, `Cannot send a datagram to server ${to}: not a member`);
    const sender = serverIds[from] as ServerId;
    const bytes = encodeElectionDatagram({ group: groupZero, sender, membershipHash, message, ...stamp });
    assert(
      bytes.length <= datagramBytesMax,
      `Cannot send a datagram of ${bytes.length} bytes: at most ${datagramBytesMax}`,
    );
    this.options.tap?.(from, target, message);
    const copies = conditions.duplicatesDatagram() ? 2 : 1;
    for (let i = 0; i < copies; i++) {
      if (conditions.isBlocked(from, target) || conditions.losesDatagram()) {
        continue;
      }
      this.deliver(target, bytes);
    }
  }

  private deliver(target: number, bytes: Bytes): void {
    const { conditions, clock } = this.options;
    const socket = this.sockets[target];
    const latenessMs = conditions.latenessMs();
    if (latenessMs === 0) {
      socket?.scheduler.deliver(conditions.delayMs(), () => socket.arrived(bytes));
      return;
    }
    // By then another boot of the node may listen on that port.
    clock.after(latenessMs, () => {
      const later = this.sockets[target];
      later?.scheduler.deliver(0, () => later.arrived(bytes));
    });
  }
}

export class SimulatedElectionNetwork implements ElectionNetwork {
  readonly scheduler: NodeScheduler;
  private readonly fabric: ElectionFabric;
  private readonly node: number;
  private readonly identity: { readonly incarnation: string; readonly boot: number };
  private readonly newest = new Map<ServerId, DatagramStamp>();
  private sequence = 0;
  private receive: ((from: ServerId, message: ElectionMessage) => void) | undefined;

  constructor(
    fabric: ElectionFabric,
    node: number,
    scheduler: NodeScheduler,
    identity: { readonly incarnation: string; readonly boot: number },
  ) {
    this.fabric = fabric;
    this.node = node;
    this.scheduler = scheduler;
    this.identity = identity;
  }

  start(receive: (from: ServerId, message: ElectionMessage) => void): void {
    this.receive = receive;
  }

  send(to: ServerId, message: ElectionMessage): void {
    if (!this.scheduler.alive) return;
    this.sequence += 1;
    this.fabric.send(this.node, to, message, { ...this.identity, sequence: this.sequence });
  }

  close(): void {
    this.receive = undefined;
  }

  arrived(bytes: Bytes): void {
    if (this.receive === undefined) return;
    const datagram = readElectionDatagram(bytes);
    if (datagram === undefined) return;
    const last = this.newest.get(datagram.sender);
    if (last !== undefined && last.incarnation === datagram.incarnation && !isNewer(datagram, last)) return;
    this.newest.set(datagram.sender, datagram);
    this.receive(datagram.sender, datagram.message);
  }
}

function isNewer(a: DatagramStamp, b: DatagramStamp): boolean {
  return a.boot > b.boot || (a.boot === b.boot && a.sequence > b.sequence);
}
