// Sends each request to the command that handles it. Every kind has its case; the compiler says so.

import { StoreError } from '../../../shared/errors.js';
import type { ReceivedRequest } from '../../../wire/native-messages.js';
import type { NativeSession } from '../session.js';
import { handleAskAccess, handleChangeAccess } from './access.js';
import { handleDigest, handleDigestAll, handleStatus } from './administration.js';
import { handleAuthenticate } from './authenticate.js';
import { handleBroadcast, handleBroadcastSubscription } from './broadcast.js';
import { handleGet } from './get.js';
import { handleListLeases } from './leases.js';
import { handleList } from './list.js';
import { handleOpenSnapshot, handleReadSnapshot } from './snapshot.js';
import { handleCancelWatch, handleWatch } from './watch.js';
import { handleWrite } from './write.js';

export function dispatch(session: NativeSession, request: ReceivedRequest): void {
  try {
    if (!forEverybody.has(request.body.type)) session.assertAdmitted();
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    session.fail(request.id, error);
    return;
  }
  handle(session, request);
}

/** Needs no login while access control is on: logging in, what only ends something, and what says nothing of the data. */
const forEverybody: ReadonlySet<ReceivedRequest['body']['type']> = new Set([
  'authenticate',
  'cancelWatch',
  'unsubscribeBroadcasts',
  'status',
  'unknown',
]);

function handle(session: NativeSession, request: ReceivedRequest): void {
  const { body } = request;
  switch (body.type) {
    case 'write':
      handleWrite(session, request, body);
      return;
    case 'get':
      handleGet(session, request, body);
      return;
    case 'list':
      handleList(session, request, body);
      return;
    case 'watch':
      handleWatch(session, request, body);
      return;
    case 'cancelWatch':
      handleCancelWatch(session, request, body);
      return;
    case 'broadcast':
      handleBroadcast(session, request, body);
      return;
    case 'subscribeBroadcasts':
      handleBroadcastSubscription(session, request, true);
      return;
    case 'unsubscribeBroadcasts':
      handleBroadcastSubscription(session, request, false);
      return;
    case 'authenticate':
      handleAuthenticate(session, request, body);
      return;
    case 'changeAccess':
      handleChangeAccess(session, request, body);
      return;
    case 'askAccess':
      handleAskAccess(session, request, body.question);
      return;
    case 'listLeases':
      handleListLeases(session, request, body);
      return;
    case 'openSnapshot':
      handleOpenSnapshot(session, request);
      return;
    case 'readSnapshot':
      handleReadSnapshot(session, request, body);
      return;
    case 'status':
      handleStatus(session, request);
      return;
    case 'digest':
      handleDigest(session, request);
      return;
    case 'digestAll':
      handleDigestAll(session, request);
      return;
    case 'unknown': {
      const error = new StoreError('UNSUPPORTED', 'This server does not know this kind of request');
      session.fail(request.id, error);
      return;
    }
  }
}
