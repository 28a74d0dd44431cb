// Every invariant that the simulator checks, by the name that a violation carries, with the number that SPEC.md gives it
// and the file that checks it. Numbers without a check here are asserted elsewhere or have nothing to check yet: SPEC.md
// says which. A test holds this table and SPEC.md together.

interface Invariant {
  /** Of SPEC.md. */
  readonly number: number;
  /** File of this folder, or of the simulator, without its ending. */
  readonly checker: string;
}

export const invariants = {
  'one leader per epoch': { number: 1, checker: 'epoch-leaders' },
  'serving needs a role': { number: 1, checker: 'epoch-leaders' },
  'epochs never go back': { number: 2, checker: 'epoch-records' },
  'current epoch at most accepted': { number: 2, checker: 'epoch-records' },
  'the ensemble id stays': { number: 2, checker: 'epoch-records' },
  'serving only in the current epoch': { number: 3, checker: 'epoch-records' },
  'current epoch implies its initial history': { number: 4, checker: 'epoch-records' },
  'no word for an epoch that was left': { number: 5, checker: 'acknowledgements' },
  'durable before acknowledged': { number: 6, checker: 'acknowledgements' },
  'acknowledgements never go back': { number: 7, checker: 'acknowledgements' },
  'NEWLEADER is acknowledged before any proposal': { number: 8, checker: 'acknowledgements' },
  'one value per zxid': { number: 9, checker: 'log-shape' },
  'log contiguous': { number: 10, checker: 'log-shape' },
  'committed prefixes are equal': { number: 11, checker: 'deliveries' },
  'delivered implies proposed by the leader': { number: 12, checker: 'epoch-leaders' },
  'proposals follow each other': { number: 13, checker: 'primary-order' },
  'a leader applies what was before its first proposal': { number: 14, checker: 'primary-order' },
  'a new leader holds everything committed': { number: 15, checker: 'epoch-leaders' },
  'committed is durable on a quorum': { number: 16, checker: 'acknowledgements' },
  'committed is known to its leader': { number: 16, checker: 'acknowledgements' },
  'committed is never truncated': { number: 17, checker: 'log-shape' },
  'no acknowledged write is lost': { number: 17, checker: 'client-checks' },
  'applied is durable here': { number: 18, checker: 'deliveries' },
  'applied never goes back': { number: 18, checker: 'deliveries' },
  'revision follows the history': { number: 18, checker: 'deliveries' },
  'tree equals replay': { number: 18, checker: 'tree-content' },
  'history equals replay': { number: 18, checker: 'tree-content' },
  'told where its log ends': { number: 19, checker: 'acknowledgements' },
  'a snapshot holds committed state': { number: 20, checker: 'log-shape' },
  'digests are equal at equal zxid': { number: 22, checker: 'checkpoints' },
  'only those who count make a quorum': { number: 24, checker: 'acknowledgements' },
  'a disk keeps what it synced': { number: 25, checker: 'disk-witness' },
  'no word after a failed write': { number: 25, checker: 'acknowledgements' },
  linearizable: { number: 26, checker: 'client-checks' },
  'revisions respect real time': { number: 26, checker: 'client-checks' },
  'reads show the committed history': { number: 26, checker: 'simulated-client' },
  'no answer is older than one before it': { number: 26, checker: 'call-checks' },
  'revisions never go back for a client': { number: 27, checker: 'simulated-client' },
  'an answer is applied where it is given': { number: 27, checker: 'simulated-client' },
  'watches lose, repeat and reorder nothing': { number: 28, checker: 'watch-order' },
  'a lease is there when it is said to be': { number: 29, checker: 'call-checks' },
  'a lease ends no earlier than was told': { number: 29, checker: 'call-checks' },
  'a lease takes its keys with it, and no others': { number: 29, checker: 'deliveries' },
  'leases end': { number: 29, checker: 'simulation' },
  'a transaction happens whole or not at all': { number: 30, checker: 'call-checks' },
  'a transaction answers what it saw': { number: 30, checker: 'call-checks' },
  'a request happens once': { number: 31, checker: 'deliveries' },
  'what failed has not happened': { number: 31, checker: 'client-checks' },
  'an answer names its own commit': { number: 31, checker: 'client-checks' },
  'errors fit the request': { number: 31, checker: 'simulated-client' },
  'a healed quorum elects a leader': { number: 32, checker: 'simulation' },
  'a healed quorum answers a write': { number: 32, checker: 'simulation' },
  'progress after healing': { number: 32, checker: 'simulation' },
  'everybody counts again': { number: 32, checker: 'simulation' },
  'every request is answered': { number: 32, checker: 'simulation' },
  'digests are made': { number: 32, checker: 'simulation' },
  'a flapping minority deposes nobody': { number: 33, checker: 'steady-leader' },
  'any crash point restarts': { number: 34, checker: 'simulated-node' },
  'nobody stops without a reason': { number: 34, checker: 'simulated-node' },
  'log and memory stay bounded': { number: 35, checker: 'simulation' },
  /** Assertions of production code, whose text begins with the number where it is one of SPEC.md's. */
  'no assertion fails': { number: 0, checker: 'simulation' },
} as const satisfies Readonly<Record<string, Invariant>>;

export type InvariantName = keyof typeof invariants;
