// What gRPC writes into HTTP/2 headers: timeouts, content types, percent-encoded texts. Refusals have the status and text
// that grpc-go's server gives them, because clients and people search for those.

import type { HeaderField } from '../../../http2/hpack-decoder.js';
import type { SentFields } from '../../../http2/hpack-encoder.js';
import { type GrpcStatus, grpcStatus } from './grpc-status.js';

/** Of every answer that is no refusal of the request itself. */
export const answerFields: SentFields = [
  { name: ':status', value: '200', repeated: true },
  { name: 'content-type', value: 'application/grpc', repeated: true },
];
export const okTrailers: SentFields = [{ name: 'grpc-status', value: '0', repeated: true }];

/** A request that is no call: the HTTP status, and what a gRPC client is told. */
export interface Refusal {
  readonly httpStatus: number;
  readonly status: GrpcStatus;
  readonly message: string;
}

export interface CallHead {
  readonly path: string;
  /** 0 = none; at least a fraction of a millisecond otherwise. */
  readonly timeoutMs: number;
}

/** The texts of statuses are headers, and clients bound those. */
const statusTextBytesMax = 4_096;

/** The status of a call that failed. */
export function statusFields(status: GrpcStatus, message: string): SentFields {
  return [
    { name: 'grpc-status', value: String(status) },
    { name: 'grpc-message', value: statusText(message) },
  ];
}

/** What stands under a name more than once is joined by commas. */
export function headerOf(headers: readonly HeaderField[], name: string): string | undefined {
  let found: string | undefined;
  for (const field of headers) {
    if (field.name === name) found = found === undefined ? field.value : `${found},${field.value}`;
  }
  return found;
}

/** Everything that can be judged before the method is known. */
export function readCallHead(headers: readonly HeaderField[]): CallHead | Refusal {
  const contentType = headerOf(headers, 'content-type') ?? '';
  if (!isGrpc(contentType)) {
    const message = `invalid gRPC request content-type ${JSON.stringify(contentType)}`;
    return { httpStatus: 415, status: grpcStatus.invalidArgument, message };
  }
  const method = headerOf(headers, ':method') ?? '';
  if (method !== 'POST') {
    const message = `Received a HEADERS frame with :method ${JSON.stringify(method)} which should be POST`;
    return { httpStatus: 405, status: grpcStatus.internal, message };
  }
  const timeout = headerOf(headers, 'grpc-timeout');
  const timeoutMs = timeout === undefined ? 0 : timeoutMsOf(timeout);
  if (typeof timeoutMs === 'string') {
    return { httpStatus: 400, status: grpcStatus.internal, message: `malformed grpc-timeout: ${timeoutMs}` };
  }
  const encoding = headerOf(headers, 'grpc-encoding') ?? 'identity';
  if (encoding !== 'identity' && encoding !== '') {
    const message = `grpc: Decompressor is not installed for grpc-encoding ${JSON.stringify(encoding)}`;
    return { httpStatus: 200, status: grpcStatus.unimplemented, message };
  }
  return { path: headerOf(headers, ':path') ?? '', timeoutMs };
}

export function isGrpc(contentType: string): boolean {
  const lower = contentType.toLowerCase();
  if (!lower.startsWith('application/grpc')) return false;
  const next = lower.charAt('application/grpc'.length);
  return next === '' || next === '+' || next === ';';
}

const timeoutUnitsMs: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};

/** Milliseconds, or what is wrong with it. A timeout of 0 has passed when it comes, which is told as the least there is. */
export function timeoutMsOf(text: string): number | string {
  if (text.length < 2) return `transport: timeout string is too short: ${JSON.stringify(text)}`;
  if (text.length > 9) return `transport: timeout string is too long: ${JSON.stringify(text)}`;
  const unitMs = timeoutUnitsMs[text.charAt(text.length - 1)];
  if (unitMs === undefined) return `transport: timeout unit is not recognized: ${JSON.stringify(text)}`;
  const digits = text.slice(0, -1);
  if (!/^\d+$/.test(digits)) return `strconv.ParseInt: parsing ${JSON.stringify(digits)}: invalid syntax`;
  return Math.max(Number(digits) * unitMs, Number.MIN_VALUE);
}

/** What grpc-go says of a path that no method is at. `services`: the names of those that are there. */
export function unknownMethodText(path: string, services: ReadonlySet<string>): string {
  const name = path.startsWith('/') ? path.slice(1) : path;
  const slash = name.lastIndexOf('/');
  if (slash < 0) return `malformed method name: ${JSON.stringify(path)}`;
  const service = name.slice(0, slash);
  if (!services.has(service)) return `unknown service ${service}`;
  return `unknown method ${name.slice(slash + 1)} for service ${service}`;
}

/** Percent-encoded as the header grpc-message wants it; what is too long for a header is cut. */
function statusText(message: string): string {
  if (/^[ -$&-~]*$/.test(message) && message.length <= statusTextBytesMax) return message;
  let text = '';
  for (const byte of Buffer.from(message, 'utf8')) {
    if (text.length >= statusTextBytesMax) break;
    const plain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    text += plain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return text;
}
