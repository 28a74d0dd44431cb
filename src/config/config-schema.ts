// The shape of configuration files, server and client: keys and types. What keys mean together is checked by the loaders.

import { parseAddress } from '../shared/address.js';
import { limits } from './limits.js';
import {
  clientListenerServes,
  clientListenerTls,
  defaultTiming,
  jwtSignMethods,
  logFormats,
  logLevels,
} from './node-config.js';
import { pascalCase } from './pascal-case.js';
import {
  lengthFrom,
  list,
  object,
  oneOf,
  positiveInteger,
  type Shape,
  type ShapeType,
  text,
  truthValue,
} from './shape.js';

const address = text((value) => {
  const parsed = parseAddress(value);
  if (typeof parsed === 'string') return parsed;
  return parsed.port === 0 ? `"${value}" has a bad port: expected a number in 1..65535` : undefined;
});

const someText = text(lengthFrom(1));
const name = text(lengthFrom(1, 100));

function positiveIntegers(names: readonly string[]): Shape<Readonly<Record<string, number | undefined>>> {
  return object({}, Object.fromEntries(names.map((name) => [pascalCase(name), positiveInteger])));
}

export const serverFileShape = object(
  {
    Host: object(
      { ElectionAddr: address, MessageAddr: address, RequestAddr: address },
      {
        Name: name,
        ListenElectionAddr: address,
        ListenMessageAddr: address,
        ListenRequestAddr: address,
        FurtherListeners: list(
          object({ Addr: address }, { Tls: oneOf(clientListenerTls), Serves: oneOf(clientListenerServes) }),
        ),
      },
    ),
  },
  {
    Peer: list(object({ ElectionAddr: address, MessageAddr: address }, { Name: name, RequestAddr: address })),
    EnsembleName: text(lengthFrom(1, 100)),
    DataDir: someText,
    ClusterKey: text(lengthFrom(16)),
    ClusterKeyFile: someText,
    PeerTls: object(
      { CertFile: someText, KeyFile: someText, TrustedCaFile: someText },
      { AllowedCommonName: someText, AllowedHostname: someText },
    ),
    ClientTls: object(
      {},
      {
        CertFile: someText,
        KeyFile: someText,
        TrustedCaFile: someText,
        ClientCertAuth: truthValue,
        AllowPlain: truthValue,
      },
    ),
    JwtTokens: object(
      { SignMethod: oneOf(jwtSignMethods) },
      { PublicKeyFile: someText, PrivateKeyFile: someText, TtlMs: positiveInteger },
    ),
    AutoCompaction: object({}, { PeriodMs: positiveInteger, RevisionsKept: positiveInteger }),
    Timing: positiveIntegers(Object.keys(defaultTiming)),
    Limits: positiveIntegers(Object.keys(limits)),
    LogLevel: oneOf(logLevels),
    LogFormat: oneOf(logFormats),
    Bootstrap: truthValue,
  },
);

export type ServerFile = ShapeType<typeof serverFileShape>;

export const clientFileShape = object(
  { Peer: list(object({ RequestAddr: address }, {}), 'lists no peer') },
  { Tls: object({}, { CaFile: someText, CertFile: someText, KeyFile: someText }) },
);
