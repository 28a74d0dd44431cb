// Every mutation of the gate, one for each known failure; `source` says whose. All of them can be brought back somewhere:
// where zabtree has no place for the original (decimal ids, an epoch file in the clear), in the leaf that rules it out.

import { logNeverTrimmed } from './bounds/log-never-trimmed.js';
import { appliedBeforeDurable } from './broadcast/applied-before-durable.js';
import { commitBelowQuorum } from './broadcast/commit-below-quorum.js';
import { missedCommit } from './broadcast/gometa-missed-commit.js';
import { logLiesAboutFsync } from './disk/log-lies-about-fsync.js';
import { manifestLiesAboutFsync } from './disk/manifest-lies-about-fsync.js';
import { staleRecordsBehindTruncation } from './disk/stale-records-behind-truncation.js';
import { epochFileInPlace } from './disk/zk-2307-epoch-file-in-place.js';
import { ioErrorIgnored } from './disk/zk-4882-io-error-ignored.js';
import { interruptedTruncation } from './disk/zk-5094-interrupted-truncation.js';
import { establishedWithoutQuorum } from './election/established-without-quorum.js';
import { decimalZxids } from './election/gometa-decimal-zxids.js';
import { tailSkipped } from './election/gometa-tail-skipped.js';
import { promisesNotAwaited } from './election/promises-not-awaited.js';
import { disruptiveRejoiner } from './election/raft-disruptive-rejoiner.js';
import { logQueueNotDrained } from './election/zk-4712-log-queue-not-drained.js';
import { checkpointNotTakenBack } from './leases/checkpoint-not-taken-back.js';
import { keepAliveNotConfirmed } from './leases/keep-alive-not-confirmed.js';
import { keysOutliveLease } from './leases/keys-outlive-lease.js';
import { leaseEndedByOldDeadline } from './leases/lease-ended-by-old-deadline.js';
import { blankNodeCounted } from './membership/blank-node-counted.js';
import type { Mutation } from './mutation.js';
import { malformedDatagram } from './network/gometa-malformed-datagram.js';
import { counterRollover } from './numbering/zk-1277-counter-rollover.js';
import { zxidsOutsideEpoch } from './numbering/zk-3526-zxids-outside-epoch.js';
import { reusedReadContext } from './reads/etcd-reused-read-context.js';
import { unconfirmedLeadership } from './reads/unconfirmed-leadership.js';
import { answerFromStagedState } from './requests/answer-from-staged-state.js';
import { oversizedEntry } from './requests/gometa-oversized-entry.js';
import { requestsExecutedAgain } from './requests/requests-executed-again.js';
import { transactionHalfDone } from './requests/transaction-half-done.js';
import { blankLeaderFounds } from './restored/blank-leader-founds.js';
import { promisedDataForgotten } from './restored/promised-data-forgotten.js';
import { restoredDataGivenUp } from './restored/restored-data-given-up.js';
import { restoredTreesTakenForEqual } from './restored/restored-trees-taken-for-equal.js';
import { snapshotAheadOfItsTree } from './snapshots/snapshot-ahead-of-its-tree.js';
import { snapshotNamedTooEarly } from './snapshots/snapshot-named-too-early.js';
import { snapshotOfTwoMoments } from './snapshots/snapshot-of-two-moments.js';
import { divergentTail } from './synchronization/gometa-divergent-tail.js';
import { snapshotOverLongerLog } from './synchronization/snapshot-over-longer-log.js';
import { truncationByLeaderDisk } from './synchronization/truncation-by-leader-disk.js';
import { diffOverDivergentTail } from './synchronization/zk-2418-diff-over-divergent-tail.js';
import { proposalDroppedBeforeCommit } from './synchronization/zk-4394-proposal-dropped-before-commit.js';
import { epochBeforeEntries } from './synchronization/zk-4643-epoch-before-entries.js';
import { newLeaderAckedBeforeDiff } from './synchronization/zk-4646-newleader-acked-before-diff.js';
import { proposalAckedBeforeNewLeader } from './synchronization/zk-4685-proposal-acked-before-newleader.js';
import { holeCopied } from './synchronization/zk-4925-hole-copied.js';
import { flushLosesKey } from './tree/flush-loses-key.js';
import { applyNotAtomic } from './tree/gometa-apply-not-atomic.js';
import { memoryAheadOfLog } from './tree/zk-2845-memory-ahead-of-log.js';
import { compactedEventsSkipped } from './watches/etcd-17529-compacted-events-skipped.js';
import { watchKeptOverSnapshot } from './watches/watch-kept-over-snapshot.js';

export const catalogue: readonly Mutation[] = [
  appliedBeforeDurable,
  commitBelowQuorum,
  missedCommit,
  logLiesAboutFsync,
  manifestLiesAboutFsync,
  establishedWithoutQuorum,
  decimalZxids,
  tailSkipped,
  promisesNotAwaited,
  logQueueNotDrained,
  disruptiveRejoiner,
  blankNodeCounted,
  malformedDatagram,
  counterRollover,
  zxidsOutsideEpoch,
  reusedReadContext,
  unconfirmedLeadership,
  answerFromStagedState,
  oversizedEntry,
  requestsExecutedAgain,
  transactionHalfDone,
  leaseEndedByOldDeadline,
  keepAliveNotConfirmed,
  checkpointNotTakenBack,
  keysOutliveLease,
  compactedEventsSkipped,
  watchKeptOverSnapshot,
  blankLeaderFounds,
  restoredDataGivenUp,
  promisedDataForgotten,
  restoredTreesTakenForEqual,
  snapshotAheadOfItsTree,
  snapshotOfTwoMoments,
  snapshotNamedTooEarly,
  divergentTail,
  snapshotOverLongerLog,
  truncationByLeaderDisk,
  diffOverDivergentTail,
  proposalDroppedBeforeCommit,
  epochBeforeEntries,
  newLeaderAckedBeforeDiff,
  proposalAckedBeforeNewLeader,
  holeCopied,
  flushLosesKey,
  applyNotAtomic,
  memoryAheadOfLog,
  logNeverTrimmed,
  interruptedTruncation,
  staleRecordsBehindTruncation,
  epochFileInPlace,
  ioErrorIgnored,
];
