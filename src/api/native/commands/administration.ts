// Status and digests: what this node knows of itself, and the comparison of all.

import type { StoreService } from '../../../service/store-service.js';
import type { StoreError } from '../../../shared/errors.js';
import { contained } from '../../front-end-guard.js';
import { nativeDigestOf, okFrame, statusPayload } from '../encoder.js';
import type { NativeSession } from '../session.js';

export function handleStatus(session: NativeSession, request: { readonly id: number }): void {
  const status = session.service.status();
  session.answer(okFrame(request.id, { zxid: status.zxid, revision: status.revision }, statusPayload(status)));
}

export function handleDigest(
  session: NativeSession,
  request: { readonly id: number; readonly timeoutMs: number },
): void {
  const { id } = request;
  whenAdmin(session, request, () => digest(session, id));
}

function digest(session: NativeSession, id: number): void {
  const done: Parameters<StoreService['digest']>[0] = (error, result) => {
    if (error !== null || result === null) {
      session.fail(id, error);
      return;
    }
    const digest = nativeDigestOf(session.service.status().id, result);
    session.answer(okFrame(id, { zxid: result.zxid, revision: result.revision }, { type: 'digest', digest }));
  };
  session.service.digest(contained(session, done));
}

export function handleDigestAll(
  session: NativeSession,
  request: { readonly id: number; readonly timeoutMs: number },
): void {
  whenAdmin(session, request, () => digestAll(session, request));
}

function digestAll(session: NativeSession, request: { readonly id: number; readonly timeoutMs: number }): void {
  const { id } = request;
  const done: Parameters<StoreService['digestAll']>[1] = (error, results) => {
    if (error !== null) {
      session.fail(id, error);
      return;
    }
    const digests = results.map((result) => nativeDigestOf(result.id, result));
    session.answer(okFrame(id, session, { type: 'digestAll', digests }));
  };
  session.service.digestAll(request.timeoutMs, contained(session, done));
}

/** Digests look at the keys of everybody. */
function whenAdmin(
  session: NativeSession,
  request: { readonly id: number; readonly timeoutMs: number },
  next: () => void,
): void {
  const { access } = session.service;
  // Without access control nobody has to be asked.
  if (!access.enabled) {
    next();
    return;
  }
  const asked = contained(session, (error: StoreError | null) => {
    if (error === null) next();
    else session.fail(request.id, error);
  });
  access.whenAdmin(session.actor ?? nobody, request.timeoutMs, asked);
}

const nobody = { user: '', accessRevision: 0 };
