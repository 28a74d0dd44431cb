// What the nodes of a local ensemble say of themselves, each asked directly: who leads, who serves, which keys a node
// has, whether the digests agree. Reads only.

import { tcpTransport } from '../../client/tcp-transport.js';
import { type DigestAnswer, type StatusResult, ZabtreeClient } from '../../client/zabtree-client.js';
import { until } from './until.js';

const askTimeoutMs = 1_000;
const digestTimeoutMs = 60_000;

export interface Leadership {
  /** Position of the leader among the nodes. */
  readonly leader: number;
  readonly status: StatusResult;
}

export class EnsembleView {
  private readonly clients: readonly ZabtreeClient[];

  /** RequestAddr of each node. */
  constructor(requestAddresses: readonly string[]) {
    this.clients = requestAddresses.map(
      (peer) => new ZabtreeClient({ peers: [peer], transport: tcpTransport, unreachableRoundsMax: 1 }),
    );
  }

  /** The node's own answer; undefined when there is none. */
  async status(node: number): Promise<StatusResult | undefined> {
    try {
      return await this.client(node).status({ timeoutMs: askTimeoutMs });
    } catch {
      // Unreachable is an ordinary answer to the question who is there.
      return undefined;
    }
  }

  /** The serving leader, once `nodes` (default: all) agree on it and serve. */
  async leadership(timeoutMs: number, nodes?: readonly number[]): Promise<Leadership> {
    const asked = nodes ?? this.clients.map((_, index) => index);
    return await until('a leader with every node behind it', { timeoutMs }, async () => {
      const answers = await Promise.all(asked.map((node) => this.status(node)));
      const position = answers.findIndex((answer) => answer?.role === 'leader' && answer.serving);
      const status = answers[position];
      const leader = asked[position];
      if (status === undefined || leader === undefined) return undefined;
      const agreed = answers.every((answer) => answer?.serving === true && answer.leader === status.id);
      return agreed ? { leader, status } : undefined;
    });
  }

  /** The serving leader among these nodes, whoever follows it. */
  async anyLeader(timeoutMs: number, nodes: readonly number[]): Promise<Leadership> {
    return await until('a leader', { timeoutMs, everyMs: 5 }, async () => {
      const answers = await Promise.all(nodes.map((node) => this.status(node)));
      const position = answers.findIndex((answer) => answer?.role === 'leader' && answer.serving);
      const status = answers[position];
      const leader = nodes[position];
      return status === undefined || leader === undefined ? undefined : { leader, status };
    });
  }

  /** Waits until these nodes (default: all) have applied the same zxid, which is at least `least`. */
  async caughtUp(timeoutMs: number, least = 0, nodes?: readonly number[]): Promise<void> {
    const asked = nodes ?? this.clients.map((_, index) => index);
    await until('every node at the same zxid', { timeoutMs }, async () => {
      const answers = await Promise.all(asked.map((node) => this.status(node)));
      const zxid = answers[0]?.zxid ?? 0;
      return (
        (zxid >= least && answers.every((answer) => answer?.serving === true && answer.zxid === zxid)) || undefined
      );
    });
  }

  /** All keys that start with the prefix, with their values, as this node has applied them. */
  async records(node: number, prefix: string): Promise<Map<string, string>> {
    const found = new Map<string, string>();
    const decoder = new TextDecoder();
    for await (const page of this.client(node).list({ prefix, local: true, timeoutMs: digestTimeoutMs })) {
      for (const record of page.records) found.set(decoder.decode(record.key), decoder.decode(record.value));
    }
    return found;
  }

  async digest(node: number): Promise<DigestAnswer> {
    return await this.client(node).digest({ timeoutMs: digestTimeoutMs });
  }

  /** The digest that all these nodes (default: all) have; throws when two differ at the same zxid. */
  async commonDigest(timeoutMs: number, nodes?: readonly number[]): Promise<DigestAnswer> {
    const asked = nodes ?? this.clients.map((_, index) => index);
    const outcome = await until('digests of one zxid', { timeoutMs }, async () => {
      const digests = await Promise.all(asked.map((node) => this.digest(node)));
      const first = digests[0];
      if (first === undefined || digests.some((digest) => digest.zxid !== first.zxid)) return undefined;
      return { first, digests };
    });
    const odd = outcome.digests.findIndex((digest) => digest.digest !== outcome.first.digest);
    if (odd >= 0) {
      throw new Error(
        `Digests differ at zxid ${outcome.first.zxid}: ${outcome.digests.map(({ digest }) => digest).join(', ')}`,
      );
    }
    return outcome.first;
  }

  close(): void {
    for (const client of this.clients) client.close();
  }

  private client(node: number): ZabtreeClient {
    const client = this.clients[node];
    if (client === undefined) throw new Error(`Cannot ask node ${node}: there are ${this.clients.length}`);
    return client;
  }
}
