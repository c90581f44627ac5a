import type { IncomingHttpHeaders } from 'node:http';
import { discard, type JsonResponse, type StreamResponse } from './http-exchange.ts';

/** What a server says of the token it was shown, or was not (RFC 6750, section 3; RFC 9728, section 5.1). */
export interface Challenge {
  readonly error?: string | undefined;
  readonly scope?: string | undefined;
  readonly resourceMetadata?: string | undefined;
}

/** Gives the token for each request to one server, on behalf of one holder. */
export interface Authorizer {
  /**
   * What goes into `Authorization`: at once where the token is valid. Rejects with a `ConsentNeededError` where
   * somebody has to sign in, and with an `UnavailableError` where no token can be had.
   */
  header(): string | Promise<string>;
  /**
   * Told that the server refused a request with 401 or 403. True when there is another token by now and the request may be
   * sent again; rejects as `header` does.
   */
  refused(used: string, statusCode: number, challenge: Challenge | undefined): Promise<boolean>;
}

type Answer = JsonResponse | StreamResponse;

/** More would be a server that refuses whatever it is shown. */
const MAX_TRIES = 3;

/** Sends a request with its token, and again with a better one where the server refuses that. */
export async function authorized(
  authorizer: Authorizer,
  headers: Record<string, string>,
  send: () => Promise<Answer>,
): Promise<Answer> {
  for (let tries = 1; ; tries++) {
    const ready = authorizer.header();
    const used = typeof ready === 'string' ? ready : await ready;
    headers['authorization'] = used;
    const answer = await send();
    const { statusCode } = answer;
    if (statusCode !== 401 && statusCode !== 403) return answer;
    const challenge = challengeIn(answer.headers);
    if (statusCode === 403 && challenge?.error !== 'insufficient_scope') return answer;
    if (tries === MAX_TRIES || !(await authorizer.refused(used, statusCode, challenge))) return answer;
    discard(answer);
  }
}

const PARAMETER = /([A-Za-z_]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/g;

/** The Bearer challenge of `WWW-Authenticate`; undefined when there is none. */
export function challengeIn(headers: Pick<IncomingHttpHeaders, 'www-authenticate'>): Challenge | undefined {
  // Several headers of that name come as a list.
  const text = headers['www-authenticate'] && [headers['www-authenticate']].flat().join(', ');
  const begin = text === undefined ? -1 : text.search(/\bBearer\b/i);
  if (text === undefined || begin < 0) return undefined;
  const parameters = new Map(
    [...text.slice(begin, begin + 8_000).matchAll(PARAMETER)].map(([, name = '', quoted, plain = '']) => [
      name.toLowerCase(),
      quoted?.replace(/\\(.)/g, '$1') ?? plain,
    ]),
  );
  return {
    error: parameters.get('error'),
    scope: parameters.get('scope'),
    resourceMetadata: parameters.get('resource_metadata'),
  };
}
