// A log that calls members by the MessageAddr that an operator knows them by, where the core and the links know ids.

import type { ServerId } from '../shared/ids.js';
import type { EnsembleLog } from './ports.js';

type Details = Readonly<Record<string, unknown>>;

/** Longest runs of digits that may be an id: a 53-bit number. */
const idPattern = /\b\d{1,16}\b/g;

export function memberLog(
  log: EnsembleLog,
  members: readonly { readonly id: ServerId; readonly messageAddr: string }[],
): EnsembleLog {
  const names = new Map<unknown, string>();
  for (const { id, messageAddr } of members) names.set(id, messageAddr);
  const textOf = (text: string): string => text.replace(idPattern, (digits) => names.get(Number(digits)) ?? digits);
  const detailsOf = (details: Details | undefined): Details => {
    const named: Record<string, unknown> = {};
    for (const [key, value] of Object.entries(details ?? {})) named[key] = names.get(value) ?? value;
    return named;
  };
  return {
    info: (text, details) => log.info(textOf(text), detailsOf(details)),
    warn: (text, details) => log.warn(textOf(text), detailsOf(details)),
    error: (text, details) => log.error(textOf(text), detailsOf(details)),
  };
}
