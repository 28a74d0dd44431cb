// What a native client is told of a failure: the closed set of codes travels by its numbers, so the mapping is the
// wire's own. Anything that is no StoreError is a defect: its details go to the log, never to the client.

import { StoreError } from '../../shared/errors.js';
import { FrameTooLargeError } from '../../wire/native-framing.js';
import type { NativeFrameHeader } from '../../wire/native-messages.js';
import { WireError } from '../../wire/protobuf/wire-error.js';

export type Failure = Pick<NativeFrameHeader, 'code' | 'message'>;

/** Total: whatever was thrown has an answer. */
export function failureOf(error: unknown): Failure {
  if (error instanceof StoreError) return { code: error.code, message: error.message };
  if (error instanceof FrameTooLargeError) return { code: 'TOO_LARGE', message: error.message };
  if (error instanceof WireError) return { code: 'INVALID_ARGUMENT', message: error.message };
  return { code: 'INTERNAL', message: 'The server failed to handle this request: its log has the details' };
}
