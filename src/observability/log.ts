// The process's log: winston, one line an entry, to stderr alone (stdout is for data). Levels are checked before winston
// is called, since a disabled line still costs it microseconds; nothing on a request's path logs.

import winston from 'winston';

export type LogLevel = 'error' | 'warn' | 'info' | 'debug';
export type LogDetails = Readonly<Record<string, unknown>>;

/** What the rest of the program writes its lines to. */
export interface Log {
  /** True if lines of this level are written: ask before computing details for `debug`. */
  enabled(level: LogLevel): boolean;
  error(text: string, details?: LogDetails): void;
  warn(text: string, details?: LogDetails): void;
  info(text: string, details?: LogDetails): void;
  debug(text: string, details?: LogDetails): void;
  /** The same log with these details on every line. */
  with(details: LogDetails): Log;
}

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: 'text' | 'json';
  /** Default: process.stderr. */
  readonly stream?: NodeJS.WritableStream;
}

const ranks: Readonly<Record<LogLevel, number>> = { error: 0, warn: 1, info: 2, debug: 3 };

export function createLog(options: LogOptions): Log {
  const logger = winston.createLogger({
    level: options.level,
    levels: ranks,
    format: options.format === 'json' ? jsonFormat : textFormat,
    transports: [new winston.transports.Stream({ stream: options.stream ?? process.stderr, eol: '\n' })],
    exitOnError: false,
  });
  return new WinstonLog(logger, ranks[options.level], {});
}

class WinstonLog implements Log {
  readonly #logger: winston.Logger;
  readonly #rank: number;
  readonly #details: LogDetails;

  constructor(logger: winston.Logger, rank: number, details: LogDetails) {
    this.#logger = logger;
    this.#rank = rank;
    this.#details = details;
  }

  enabled(level: LogLevel): boolean {
    return ranks[level] <= this.#rank;
  }

  error(text: string, details?: LogDetails): void {
    this.#write('error', text, details);
  }

  warn(text: string, details?: LogDetails): void {
    this.#write('warn', text, details);
  }

  info(text: string, details?: LogDetails): void {
    this.#write('info', text, details);
  }

  debug(text: string, details?: LogDetails): void {
    this.#write('debug', text, details);
  }

  with(details: LogDetails): Log {
    return new WinstonLog(this.#logger, this.#rank, { ...this.#details, ...details });
  }

  #write(level: LogLevel, text: string, details: LogDetails | undefined): void {
    if (ranks[level] > this.#rank) return;
    this.#logger.log({ level, message: text, details: { ...this.#details, ...details } });
  }
}

const jsonFormat = winston.format.printf((info) =>
  JSON.stringify({ time: new Date().toISOString(), level: info.level, text: info.message, ...plainDetails(info) }),
);

const textFormat = winston.format.printf((info) => {
  const details = Object.entries(plainDetails(info)).map(([name, value]) => ` ${name}=${detailText(value)}`);
  return `${new Date().toISOString()} ${info.level.padEnd(5)} ${String(info.message)}${details.join('')}`;
});

/** Errors and bigints as text: JSON has no form of its own for them. */
function plainDetails(info: winston.Logform.TransformableInfo): Record<string, unknown> {
  const details = (info['details'] ?? {}) as LogDetails;
  return Object.fromEntries(
    Object.entries(details).map(([name, value]) => {
      if (value instanceof Error) return [name, value.stack ?? value.message];
      return [name, typeof value === 'bigint' ? String(value) : value];
    }),
  );
}

function detailText(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value));
  return /[\s"=]/.test(text) && typeof value === 'string' ? JSON.stringify(text) : text;
}
