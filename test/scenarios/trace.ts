// Effects as lines of a story: who says what to whom, what is written, who serves. Datagrams, pings and pongs are left
// out unless asked for.

import { counterOf, formatZxid, type ServerId, type Zxid, zxidZero } from '../../src/shared/ids.js';
import type { EpochRecord, ZabEffect } from '../../src/zab/effects.js';
import type { Ballot, Batch, ElectionMessage, EpochEnd, PeerMessage } from '../../src/zab/messages.js';

export interface TraceOptions {
  votes: boolean;
  pings: boolean;
}

export function traceLine(node: ServerId, effect: ZabEffect, options: TraceOptions): string | undefined {
  switch (effect.type) {
    case 'sendDatagram':
      return options.votes ? `${node} ~> ${effect.to} ${datagramText(effect.message)}` : undefined;
    case 'connect':
      return `${node} connect ${effect.peer}`;
    case 'disconnect':
      return `${node} disconnect ${effect.peer}: ${effect.reason}`;
    case 'send':
      if (!options.pings && (effect.message.type === 'ping' || effect.message.type === 'pong')) return undefined;
      return `${node} -> ${effect.peer} ${messageText(effect.message)}`;
    case 'sendProposal':
      return `${node} -> ${effect.links.map(({ peer }) => peer).join(',')} proposal ${batchText(effect.batch)} committed=${formatZxid(effect.committed)}`;
    case 'synchronize':
      return `${node} synchronize ${effect.peer} ${planText(effect.plan)} through ${formatZxid(effect.through)}`;
    case 'persist':
      return `${node} persist ${recordText(effect.record)}`;
    case 'append':
      return `${node} append ${batchText(effect.batch)}`;
    case 'truncateLog':
      return `${node} truncate log to ${formatZxid(effect.to)}`;
    case 'receiveSnapshot':
      return `${node} receive snapshot of ${effect.peer} with ${recordText(effect.record)}`;
    case 'deliver':
      return `${node} deliver ${formatZxid(effect.through)}`;
    case 'roleChanged':
      return `${node} is ${effect.role}${effect.leader === null || effect.role === 'leading' ? '' : ` ${effect.leader}`}, epoch ${effect.epoch}${effect.serving ? ', serving' : ''}`;
    case 'leadershipConfirmed':
      return `${node} leadership confirmed for request ${effect.request}`;
    case 'note':
      return `${node} ${effect.level}: ${effect.text}`;
    case 'halt':
      return `${node} halt: ${effect.reason}`;
  }
}

function planText(plan: Extract<ZabEffect, { type: 'synchronize' }>['plan']): string {
  switch (plan.kind) {
    case 'diff':
      return `diff after ${formatZxid(plan.after)}`;
    case 'truncate':
      return `truncate to ${formatZxid(plan.to)}`;
    case 'snapshot':
      return 'snapshot';
  }
}

function recordText(record: EpochRecord): string {
  const id = record.ensembleId === null ? 'blank' : `ensemble=${record.ensembleId.replace(/^e+/, '')}`;
  const probation = record.probation ? ' on probation' : '';
  return `${id} accepted=${record.acceptedEpoch} current=${record.currentEpoch}${probation}${seedText(record.seed)}`;
}

function seedText(seed: Zxid): string {
  return seed === zxidZero ? '' : ` seed=${counterOf(seed)}`;
}

function ballotText(ballot: Ballot): string {
  return `${ballot.serverId} (${ballot.epoch}, ${formatZxid(ballot.lastZxid)})`;
}

function datagramText(message: ElectionMessage): string {
  const standing = message.ensembleId === null ? ', blank' : message.probation ? ', on probation' : '';
  return `${message.role} round ${message.round} votes ${ballotText(message.vote)}${standing}`;
}

function batchText(batch: Batch): string {
  return batch.first === batch.last ? formatZxid(batch.first) : `${formatZxid(batch.first)}..${formatZxid(batch.last)}`;
}

function endsText(ends: readonly EpochEnd[]): string {
  return ends.map(({ last }) => formatZxid(last)).join(',');
}

function messageText(message: PeerMessage): string {
  switch (message.type) {
    case 'followerInfo':
      return `followerInfo last=${formatZxid(message.lastZxid)} ${recordText(message)}`;
    case 'ackEpoch':
      return `ackEpoch ${message.epoch} current=${message.currentEpoch} last=${formatZxid(message.lastZxid)} ends=[${endsText(message.epochEnds)}] committed=${formatZxid(message.committed)}`;
    case 'ackNewLeader':
      return `ackNewLeader ${message.epoch} durable=${formatZxid(message.durable)}`;
    case 'ack':
      return `ack ${formatZxid(message.durable)}`;
    case 'pong':
      return `pong ${message.nonce}`;
    case 'voterReady':
      return `voterReady ${message.epoch}`;
    case 'leaderInfo':
      return `leaderInfo ${message.epoch} as ${message.admission}${seedText(message.seed)}`;
    case 'truncate':
      return `truncate ${formatZxid(message.to)}`;
    case 'snapshot':
      return 'snapshot';
    case 'proposal':
      return `proposal ${batchText(message.batch)}`;
    case 'newLeader':
      return `newLeader ${message.epoch}`;
    case 'upToDate':
      return `upToDate ${formatZxid(message.committed)}`;
    case 'commit':
      return `commit ${formatZxid(message.committed)}`;
    case 'ping':
      return `ping ${message.nonce}`;
  }
}
