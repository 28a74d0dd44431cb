// Network addresses as configurations write them: `host:port`, IPv6 in brackets. Resolves no names.

export interface Address {
  /** A name or an IP address, without brackets. */
  readonly host: string;
  /** 0..65535; 0 only where the caller allows "any free port". */
  readonly port: number;
}

/** What stands before the last @ may be a password: it is shown to nobody. */
export function withoutCredentials(text: string): string {
  const at = text.lastIndexOf('@');
  return at < 0 ? text : `…${text.slice(at)}`;
}

/** Parses `host:port` or `[ipv6]:port`; a string says what is wrong with it. */
export function parseAddress(text: string): Address | string {
  if (text.includes('@')) return `"${withoutCredentials(text)}" has something before an @: expected host:port`;
  const colon = text.lastIndexOf(':');
  if (colon < 0) return `"${text}" has no port: expected host:port`;
  const bracketed = text.startsWith('[');
  const host = bracketed ? text.slice(1, colon - 1) : text.slice(0, colon);
  if (bracketed && text[colon - 1] !== ']') return `"${text}" is not an address: expected [ipv6]:port`;
  if (host === '') return `"${text}" has no host: expected host:port`;
  if (!bracketed && host.includes(':')) return `"${text}" is ambiguous: write an IPv6 address as [${host}]:port`;
  if (/[\s/[\]]/.test(host)) return `"${text}" has a host that is neither a name nor an IP address`;
  const digits = text.slice(colon + 1);
  const port = Number(digits);
  if (!/^\d{1,5}$/.test(digits) || port > 65_535) return `"${text}" has a bad port: expected a number in 1..65535`;
  return { host, port };
}
