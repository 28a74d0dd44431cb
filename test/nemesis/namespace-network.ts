// One network namespace for each node, all joined by a bridge in a namespace of its own; the clients' side of the bridge
// is an interface of this process's namespace. A direction is cut by giving the sender a hardware address for its peer
// that nobody has: packets vanish in silence, as on a broken wire, and the other direction stays whole.

import { execFile, execFileSync } from 'node:child_process';
import { networkInterfaces } from 'node:os';
import { promisify } from 'node:util';
import type { Degradation, NemesisNetwork, NodePlace } from './nemesis-network.js';

const run = promisify(execFile);

/** 198.18.0.0/15 is set aside for tests of networks (RFC 2544). */
const subnetPrefix = '198.18';
const subnetCount = 250;
const clientsHost = 254;
/** A namespace has all its ports to itself. */
const ports = { election: 5001, message: 5002, request: 5003 };
const nobody = '02:00:00:00:ff:fe';

export class NamespaceNetwork implements NemesisNetwork {
  readonly kind = 'namespaces';
  readonly places: readonly NodePlace[];
  readonly cannotDegrade: string | null;
  private readonly tag: string;
  private readonly subnet: string;
  private closed = false;

  private constructor(tag: string, subnet: string, nodes: number) {
    this.tag = tag;
    this.subnet = subnet;
    this.places = Array.from({ length: nodes }, (_, node) => ({
      addresses: {
        ElectionAddr: `${this.address(node)}:${ports.election}`,
        MessageAddr: `${this.address(node)}:${ports.message}`,
        RequestAddr: `${this.address(node)}:${ports.request}`,
      },
      host: {},
      launcher: ['nsenter', `--net=/run/netns/${this.namespace(node)}`],
    }));
    try {
      this.build(nodes);
      this.cannotDegrade = this.tryNetem();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Throws where the machine does not allow it; what was made by then is removed. */
  static create(nodes: number): NamespaceNetwork {
    const taken = Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address));
    for (let attempt = 0; attempt < subnetCount; attempt++) {
      const subnet = `${subnetPrefix}.${(process.pid + attempt) % subnetCount}`;
      if (!taken.some((address) => address.startsWith(`${subnet}.`)))
        return new NamespaceNetwork(`zt${process.pid}`, subnet, nodes);
    }
    throw new Error(`Cannot make a network: all of ${subnetPrefix}.0.0/16 is in use`);
  }

  async cut(from: number, to: number, isCut: boolean): Promise<void> {
    await run('ip', this.neighbour(from, to, isCut ? nobody : hardware(to)));
  }

  async degrade(from: number, degradation: Degradation | null): Promise<void> {
    await run('tc', this.netem(from, degradation ?? { lossPercent: 0, delayMs: 0 }));
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    // Interfaces go with the namespaces that hold them, and a pair of them together.
    for (const name of [this.bridge, ...this.places.map((_, node) => this.namespace(node))]) {
      try {
        execFileSync('ip', ['netns', 'del', name], { stdio: 'ignore' });
      } catch {
        // It was not made yet: the first step that failed is reported by whoever made it.
      }
    }
  }

  private get bridge(): string {
    return `${this.tag}-bridge`;
  }

  private namespace(node: number): string {
    return `${this.tag}-node${node + 1}`;
  }

  private address(node: number): string {
    return `${this.subnet}.${node + 1}`;
  }

  private build(nodes: number): void {
    ip('netns', 'add', this.bridge);
    ip('-n', this.bridge, 'link', 'add', 'br0', 'type', 'bridge');
    ip('-n', this.bridge, 'link', 'set', 'br0', 'up');
    ip('-n', this.bridge, ...pair('clients', this.tag, String(process.pid)));
    ip('-n', this.bridge, 'link', 'set', 'clients', 'master', 'br0', 'up');
    ip('addr', 'add', `${this.subnet}.${clientsHost}/24`, 'dev', this.tag);
    ip('link', 'set', this.tag, 'up');
    for (let node = 0; node < nodes; node++) {
      const inside = ['-n', this.namespace(node)];
      ip('netns', 'add', this.namespace(node));
      ip('-n', this.bridge, ...pair(`node${node + 1}`, 'eth0', this.namespace(node)));
      ip('-n', this.bridge, 'link', 'set', `node${node + 1}`, 'master', 'br0', 'up');
      ip(...inside, 'link', 'set', 'lo', 'up');
      ip(...inside, 'link', 'set', 'eth0', 'address', hardware(node), 'up');
      ip(...inside, 'addr', 'add', `${this.address(node)}/24`, 'dev', 'eth0');
    }
    for (let from = 0; from < nodes; from++) {
      for (let to = 0; to < nodes; to++) if (to !== from) ip(...this.neighbour(from, to, hardware(to)));
    }
  }

  /** The kernel need not have this queue. */
  private tryNetem(): string | null {
    try {
      for (const node of this.places.keys()) {
        execFileSync('tc', this.netem(node, { lossPercent: 0, delayMs: 0 }), { stdio: ['ignore', 'ignore', 'pipe'] });
      }
      return null;
    } catch (error) {
      return `tc netem: ${reasonOf(error)}`;
    }
  }

  private neighbour(from: number, to: number, lladdr: string): string[] {
    const entry = [this.address(to), 'lladdr', lladdr, 'dev', 'eth0', 'nud', 'permanent'];
    return ['-n', this.namespace(from), 'neigh', 'replace', ...entry];
  }

  private netem(node: number, { lossPercent, delayMs }: Degradation): string[] {
    const effect = ['loss', `${lossPercent}%`, 'delay', `${delayMs}ms`];
    return ['-n', this.namespace(node), 'qdisc', 'replace', 'dev', 'eth0', 'root', 'netem', ...effect];
  }
}

function hardware(node: number): string {
  return `02:00:00:00:00:${(node + 1).toString(16).padStart(2, '0')}`;
}

function pair(name: string, peerName: string, peerNamespace: string): string[] {
  return ['link', 'add', name, 'type', 'veth', 'peer', 'name', peerName, 'netns', peerNamespace];
}

function ip(...args: string[]): void {
  try {
    execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  } catch (error) {
    throw new Error(`Cannot run "ip ${args.join(' ')}": ${reasonOf(error)}`);
  }
}

function reasonOf(error: unknown): string {
  const { stderr, message } = error as { stderr?: Buffer; message: string };
  return stderr?.toString().trim() || message;
}
