// Every bound of the server, by name. Past a bound the caller gets a clear error; nothing grows without one.

export const limits = {
  /** User keys, bytes. LMDB takes keys of 1978 bytes, with a revision and a space in front of ours. */
  keyBytesMax: 900,
  /** User values, bytes. */
  valueBytesMax: 1.5 * 2 ** 20,
  /** One frame on the client port, bytes. */
  requestFrameBytesMax: 2 * 2 ** 20,
  /** One frame between peers, bytes: a whole batch. */
  peerFrameBytesMax: 16 * 2 ** 20,
  /** One election datagram, bytes. */
  datagramBytesMax: 1200,
  /** Body of one batch, bytes, and commands in it. */
  batchBytesMax: 4 * 2 ** 20,
  batchEntriesMax: 4096,
  /** Batches proposed and not committed. */
  batchesInFlightMax: 4,
  /** Commands waiting for the leader's prepare. */
  prepareQueueMax: 16384,
  /** Bytes of what was read for answers that wait for their commit; past it commands wait. */
  answersHeldBytesMax: 32 * 2 ** 20,
  /** Of one transaction: conditions, operations of each arm (those of nested ones count against it), and how deep it nests. */
  transactionOperationsMax: 128,
  transactionDepthMax: 16,
  /** What it puts, bytes; keys that its ranges look at or delete; what it answers, bytes. */
  transactionBytesMax: 4 * 2 ** 20,
  transactionKeysMax: 50_000,
  transactionAnswerBytesMax: 8 * 2 ** 20,
  /** Committed and not flushed, bytes: a flush is cut at the first, writes wait past the second. */
  overlayFlushBytes: 16 * 2 ** 20,
  overlayBytesMax: 64 * 2 ** 20,
  /** Versions in one flush, history rows that one read of changes looks at, versions that one slice of compaction looks at. */
  overlayFlushVersions: 20_000,
  historyRowsMax: 20_000,
  compactVersionsMax: 8_192,
  /** Commands that a follower forwarded to the leader and that are not answered, and answers to it that are unsent; more wait. */
  forwardedBytesMax: 16 * 2 ** 20,
  /** Unsent bytes on one peer link before the peer is dropped, and on one client connection before reading stops. */
  peerQueueBytesMax: 64 * 2 ** 20,
  clientQueueBytesMax: 2 * 2 ** 20,
  /** Unsent bytes of all client connections; past it only short queues may grow. */
  clientQueueBytesTotalMax: 128 * 2 ** 20,
  /** What the unanswered requests of one native connection may answer, bytes, past which it is read no further. */
  clientAnswersInFlightBytesMax: 64 * 2 ** 20,
  /** Bytes held for all clients past which large answers that cannot wait are given up. */
  clientAnswersBytesTotalMax: 256 * 2 ** 20,
  /** Bytes of all large requests that are half there; others wait. Each has to be whole within the time, waiting included. */
  clientArrivalBytesTotalMax: 32 * 2 ** 20,
  requestArrivalTimeoutMs: 30_000,
  /** The body of an HTTP/1.1 request, bytes: the JSON of the largest request, whose bytes are base64. */
  httpBodyBytesMax: 3 * 2 ** 20,
  clientConnectionsMax: 10_000,
  /** Connections past clientConnectionsMax that are told so; any more are closed without a word. */
  clientRefusalsMax: 256,
  /** Connections on the peer port that have not finished their handshake. */
  peerHandshakesMax: 64,
  handshakeTimeoutMs: 5_000,
  /** One frame of a handshake between peers, bytes: the sender is not known yet. */
  handshakeFrameBytesMax: 16 * 2 ** 10,
  /** Unsent bytes on a peer link at which it counts as drained again. */
  peerQueueLowBytes: 1 * 2 ** 20,
  requestsInFlightPerConnectionMax: 8_192,
  /** gRPC calls of all connections, and those among them that wait for room with their bytes unread. */
  grpcCallsMax: 50_000,
  grpcCallsWaitingMax: 1_024,
  /** Unsent bytes of one gRPC call past which its method waits, and of all calls of a connection, which share them. */
  grpcStreamQueueBytesMax: 1 * 2 ** 20,
  grpcConnectionQueueBytesMax: 16 * 2 ** 20,
  /** Unsent bytes of one gRPC connection past which answers that come are given up: their calls end as if by time. */
  grpcUnreadAnswersBytesMax: 64 * 2 ** 20,
  /** A gRPC connection that is silent for half of it is pinged, and closed when it stays silent. */
  grpcSilenceMsMax: 120_000,
  watchesPerConnectionMax: 20_000,
  /** Unsent bytes on a client connection past which its watches wait and go on from history. */
  watchQueueBytesMax: 1 * 2 ** 20,
  /** One step of a watch's initial state or catch-up, bytes, and the time that steps may take in one turn. */
  watchPageBytes: 256 * 2 ** 10,
  watchTurnMs: 4,
  /** Watches of one stream of an etcd client, and of all of them. */
  etcdWatchesPerStreamMax: 50_000,
  etcdWatchesMax: 200_000,
  /** A response to an etcd watch whose client takes fragments is no larger, unless a single event is. */
  etcdWatchFragmentBytes: 2 * 2 ** 20,
  /** Between reports of progress to an etcd watch that wants them and is told nothing else. */
  etcdWatchProgressMs: 60_000,
  /** Without a leader for so long, streams of etcd clients that require one end. */
  etcdNoLeaderMs: 3_000,
  /** A client's deadline when it names none, and the longest. */
  requestTimeoutMsDefault: 5_000,
  requestTimeoutMsMax: 60_000,
  /** One message of an answer that becomes JSON, bytes: it is held whole. */
  gatewayMessageBytesMax: 16 * 2 ** 20,
  /** An ephemeral message, bytes. */
  broadcastBytesMax: 64 * 2 ** 10,
  sessionsMax: 10_000,
  sessionResultsMax: 8_192,
  sessionResultsTotalMax: 200_000,
  /** Bytes in use of the tree's file at which puts are refused until something is deleted and compacted. */
  quotaBytes: 2 * 2 ** 30,
  /** Leases, and those that have ended and are being revoked at a time. */
  leasesMax: 200_000,
  leaseExpiriesInFlightMax: 512,
  /** Keys, and bytes of keys, that a lease takes with it at one revision; one that holds more loses some before. */
  leaseRevokeKeysMax: 10_000,
  leaseRevokeBytesMax: 2 * 2 ** 20,
  /** One log segment, bytes, and what the log keeps for slow followers. */
  logSegmentBytes: 64 * 2 ** 20,
  logRetainBytesMax: 128 * 2 ** 20,
  /** Verifying what is on disk reads no faster than this. */
  scrubBytesPerSecondMax: 4 * 2 ** 20,
  /** One chunk of a snapshot on the wire, bytes. */
  snapshotChunkBytes: 256 * 2 ** 10,
  /** Rows of users, roles and permissions, bytes: every node keeps them in memory, one change may touch them all. */
  accessBytesMax: 2 * 2 ** 20,
  /** Name of a user or a role, bytes. */
  accessNameBytesMax: 256,
  /** Key ranges of merged permissions that are kept for all users together; more are merged anew when they are needed. */
  accessRangesKeptMax: 100_000,
  /** A token that is not used for this long is no longer accepted. */
  accessTokenTtlMs: 300_000,
  /** Tokens whose use is remembered; one that is forgotten counts from when it was issued. */
  accessTokensKeptMax: 10_000,
  passwordBytesMax: 1 * 2 ** 10,
  /** Passwords hashed at the same time, and waiting for it: hashing shares its threads with the disk. */
  passwordHashesAtOnceMax: 2,
  passwordHashesWaitingMax: 1_000,
  /** bcrypt hashes from etcd that are dearer are not verified: each step takes twice the time, 14 more than a second. */
  bcryptCostMax: 14,
  /** Copies of the whole state, such as snapshots for etcd, at a time, and how long one may take. */
  stateCopiesMax: 2,
  stateCopyTimeoutMs: 3_600_000,
  /** A client that takes nothing of its copy for so long loses it. */
  stateCopyStallMs: 60_000,
  rangeBytesMax: 1 * 2 ** 20,
  rangeRecordsMax: 10_000,
  /** A selection of any size: what is answered at once and what one step reads, keys that a step looks at. */
  selectionPageBytes: 1 * 2 ** 20,
  selectionPageRecords: 5_000,
  selectionSliceRows: 5_000,
  /** Those that take more than a turn; the time that their steps may take in one turn. */
  selectionsMax: 1_000,
  selectionTurnMs: 4,
  /** So long one keeps what it reads from being compacted; what all of them that sort hold for it, bytes. */
  selectionPinMsMax: 60_000,
  selectionSortBytesMax: 64 * 2 ** 20,
} as const;

export type Limits = { readonly [Name in keyof typeof limits]: number };
