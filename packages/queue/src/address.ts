import { inputError } from "@finitewidth/core";

/** Where a queue is, as options of ioredis, and its address without secrets for people to read. */
export interface QueueAddress {
  readonly host: string;
  readonly port: number;
  readonly username?: string;
  readonly password?: string;
  readonly db: number;
  readonly tls?: { readonly servername: string };
  readonly shown: string;
}

/**
 * Reads `redis://[user[:password]@]host[:port][/database]`, `rediss://…` for TLS (certificates of your own: NODE_EXTRA_CA_CERTS). User and
 * password may come from FINITEWIDTH_QUEUE_USERNAME and FINITEWIDTH_QUEUE_PASSWORD instead. @throws FinitewidthError (code "input").
 */
export function queueAddress(text: string, environment: Readonly<Record<string, string | undefined>> = process.env): QueueAddress {
  const wrong = (): Error => inputError("--queue", "redis://host[:port][/database], or rediss:// for TLS", withoutSecrets(text));
  if (!URL.canParse(text)) throw wrong();
  const url = new URL(text);
  const database = /^\/(\d{0,4})$/.exec(url.pathname === "" ? "/" : url.pathname)?.[1];
  if (!/^rediss?:$/.test(url.protocol) || url.hostname === "" || database === undefined || url.search !== "" || url.hash !== "")
    throw wrong();
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const port = url.port === "" ? 6379 : Number(url.port);
  const username = decodeURIComponent(url.username) || environment.FINITEWIDTH_QUEUE_USERNAME;
  const password = decodeURIComponent(url.password) || environment.FINITEWIDTH_QUEUE_PASSWORD;
  return {
    host,
    port,
    ...(username ? { username } : {}),
    ...(password ? { password } : {}),
    db: Number(database),
    ...(url.protocol === "rediss:" ? { tls: { servername: host } } : {}),
    shown: `${url.protocol}//${url.hostname}:${port}/${Number(database)}`,
  };
}

/** A text in which no address carries its password, to be kept or shown. */
export const withoutSecrets = (text: string): string => text.replaceAll(/(\b[a-z]+:\/\/)\S*@/g, "$1…@");
