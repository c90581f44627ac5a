import { STATUS_CODES, type ServerResponse } from 'node:http';
import type { Problem } from '../contract/problem.ts';

/** Milliseconds as `Server-Timing` takes them: the gateway's own share of a request's time. */
export function serverTiming(milliseconds: number): string {
  return `gateway;dur=${Math.max(0, milliseconds).toFixed(2)}`;
}

/** Answers text of a JSON type at once. */
export function sendJsonText(
  res: ServerResponse,
  status: number,
  text: string,
  headers: Record<string, string> = {},
): void {
  if (res.headersSent || res.destroyed) return;
  res.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    ...headers,
  });
  res.end(text);
}

/** Answers an RFC 9457 problem. `detail` says what to do. */
export function sendProblem(
  res: ServerResponse,
  status: number,
  detail: string,
  extra: Partial<Pick<Problem, 'rule' | 'field' | 'traceId' | 'launches' | 'url'>> = {},
  headers: Record<string, string> = {},
): void {
  const problem: Problem = {
    type: 'about:blank',
    title: STATUS_CODES[status] ?? 'Error',
    status,
    detail,
    ...extra,
  };
  sendJsonText(res, status, JSON.stringify(problem), {
    'content-type': 'application/problem+json',
    ...headers,
  });
}
