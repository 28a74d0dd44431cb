// The header Grpc-Timeout: digits and a unit. The gateway takes it as gRPC does.

import { JsonError } from './json-values.js';

const unitMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };

/** Milliseconds, at least 1; 0 when there is no such header. */
export function deadlineOf(header: string | undefined): number {
  if (header === undefined) return 0;
  const [, digits, unit] = /^(\d{1,8})([HMSmun])$/.exec(header) ?? [];
  const ms = unitMs[unit ?? ''];
  if (digits === undefined || ms === undefined) throw new JsonError(`invalid grpc-timeout: ${header}`);
  return Math.max(1, Math.ceil(Number(digits) * ms));
}
