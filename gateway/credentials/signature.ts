import { createHmac, timingSafeEqual } from 'node:crypto';

/** The header that a signed message carries: `t=<seconds since the epoch>,v1=<hex>`. */
export const SIGNATURE_HEADER = 'x-toolgate-signature';

/** For how long a signature counts, either way: what was overheard is of no use later. */
const TOLERANCE_S = 300;

/** Signs a body, and the second in which it is sent (HMAC-SHA-256 over `t.body`). `now` in ms since the epoch. */
export function sign(secret: string, body: string, now: number): string {
  const t = Math.floor(now / 1000);
  return `t=${t},v1=${mac(secret, t, body)}`;
}

/** Whether a body was signed with the secret, within five minutes of `now`. */
export function isSigned(secret: string, body: string, header: unknown, now: number): boolean {
  const [, seconds, given] = /^t=(\d{1,12}),v1=([0-9a-f]{64})$/.exec(String(header)) ?? [];
  if (seconds === undefined || given === undefined) return false;
  const t = Number(seconds);
  if (Math.abs(now / 1000 - t) > TOLERANCE_S) return false;
  return timingSafeEqual(Buffer.from(given, 'hex'), Buffer.from(mac(secret, t, body), 'hex'));
}

function mac(secret: string, t: number, body: string): string {
  return createHmac('sha256', secret).update(`${t}.${body}`).digest('hex');
}
