// Addresses to listen on and what goes wrong with them, in words for the operator: which address, from which key of the
// configuration, why.

import { type Address, parseAddress } from '../shared/address.js';
import { StoreError } from '../shared/errors.js';

/** Parses `host:port`; `key` is the configuration's name for it, e.g. MessageAddr. */
export function parseListenAddress(text: string, key: string): Address {
  const address = parseAddress(text);
  if (typeof address === 'string') throw new StoreError('INVALID_ARGUMENT', `Cannot use ${key}: ${address}`);
  return address;
}

const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is in use',
  EADDRNOTAVAIL: 'the address is not one of this machine',
  EACCES: 'permission denied; ports below 1024 need privileges',
  ENOTFOUND: 'the host name is unknown',
  EAI_AGAIN: 'the host name could not be looked up',
};

/** `Cannot listen on 127.0.0.1:5002 (MessageAddr): the port is in use`. */
export function listenFailure(text: string, key: string, error: Error): StoreError {
  return new StoreError('UNAVAILABLE', `Cannot listen on ${text} (${key}): ${reasonOf(error)}`, { cause: error });
}

/** A system error in words, for logs; its own message when it is no well-known one. */
export function reasonOf(error: Error): string {
  const code = errorCode(error);
  return reasons[code] ?? connectReasons[code] ?? error.message;
}

const connectReasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset by the peer',
  EPIPE: 'connection closed by the peer',
  ETIMEDOUT: 'timed out',
  EHOSTUNREACH: 'no route to the host',
  ENETUNREACH: 'network unreachable',
};

function errorCode(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : '';
}
