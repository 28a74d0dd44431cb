// ChangeAccess and AskAccess: users, roles, permissions, and whether they count. Passwords are handed to the service and
// kept nowhere.

import type { AccessRequest, Answer } from '../../../service/access-service.js';
import { StoreError } from '../../../shared/errors.js';
import type { Secret } from '../../../shared/secret.js';
import type { CommandResult } from '../../../tree/command.js';
import type { AccessAnswer, AccessChange, AccessQuestion, NativeRequestBody } from '../../../wire/native-messages.js';
import { contained } from '../../front-end-guard.js';
import { okFrame, resultFrame } from '../encoder.js';
import type { NativeSession } from '../session.js';

interface Request {
  readonly id: number;
  readonly timeoutMs: number;
}

const nobody = { user: '', accessRevision: 0 };

export function handleChangeAccess(
  session: NativeSession,
  { id, timeoutMs }: Request,
  { change, identity }: Extract<NativeRequestBody, { type: 'changeAccess' }>,
): void {
  const request = requestOf(change);
  if (request instanceof StoreError) {
    session.fail(id, request);
    return;
  }
  const actor = session.actor ?? nobody;
  const done = contained(session, (result: CommandResult) => session.answer(resultFrame(id, result)));
  session.service.access.change(request, { actor, timeoutMs, identity }, done);
}

/** Here the secrets are passwords as they were typed. */
function requestOf(change: AccessChange): AccessRequest | StoreError {
  switch (change.type) {
    case 'enable':
      return { type: 'enable' };
    case 'userAdd':
    case 'userChangePassword': {
      const password = textOf(change.password);
      if (password !== undefined) return { ...change, password };
      return new StoreError('INVALID_ARGUMENT', 'The password is no UTF-8');
    }
    default:
      return change;
  }
}

function textOf(secret: Secret): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(secret.reveal());
  } catch {
    return undefined;
  }
}

const nothing: AccessAnswer = { enabled: false, accessRevision: 0, names: [], permissions: [] };

export function handleAskAccess(session: NativeSession, { id, timeoutMs }: Request, question: AccessQuestion): void {
  const { access } = session.service;
  const actor = session.actor ?? nobody;
  // No more than all that there is.
  const bytesMax = question.type === 'status' ? 0 : session.limits.accessBytesMax;
  session.expectAnswer(bytesMax);
  const answer = <T>(fieldsOf: (result: T) => Partial<AccessAnswer>): Answer<T> =>
    contained(session, (error: StoreError | null, result: T | null) => {
      session.expectAnswer(-bytesMax);
      if (error !== null || result === null) session.fail(id, error);
      else session.answer(okFrame(id, session, { type: 'access', ...nothing, ...fieldsOf(result) }));
    });
  switch (question.type) {
    case 'status':
      access.status(
        actor,
        timeoutMs,
        answer(({ enabled, revision }) => ({ enabled, accessRevision: revision })),
      );
      return;
    case 'users':
      access.users(
        actor,
        timeoutMs,
        answer((names) => ({ names })),
      );
      return;
    case 'roles':
      access.roles(
        actor,
        timeoutMs,
        answer((names) => ({ names })),
      );
      return;
    case 'rolesOfUser':
      access.rolesOfUser(
        question.name,
        actor,
        timeoutMs,
        answer((names) => ({ names })),
      );
      return;
    case 'permissionsOfRole':
      access.permissionsOfRole(
        question.name,
        actor,
        timeoutMs,
        answer((permissions) => ({ permissions })),
      );
      return;
  }
}
