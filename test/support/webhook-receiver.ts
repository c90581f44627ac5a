import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a webhook was told, and whether it was signed with the secret in that moment. */
export interface Told<Event> {
  readonly event: Event;
  readonly signed: boolean;
}

export interface WebhookReceiver<Event> {
  readonly url: string;
  readonly told: Told<Event>[];
  /** Answers the next ones so instead of with 200; `held` is answered only when the receiver closes. */
  answer(...next: (number | 'held')[]): void;
  close(): Promise<void>;
}

/** A signature made as the documentation says, by other code than the gateway's. */
export function signatureOf(secret: string, body: string, at = Date.now()): string {
  const t = Math.floor(at / 1000);
  return `t=${t},v1=${createHmac('sha256', secret).update(`${t}.${body}`).digest('hex')}`;
}

/** Starts a program on loopback that is told things by signed messages. */
export async function startWebhookReceiver<Event>(
  secret: string,
  parse: (body: unknown) => Event,
): Promise<WebhookReceiver<Event>> {
  const told: Told<Event>[] = [];
  const answers: (number | 'held')[] = [];
  const server = createServer((req, res) => {
    let body = '';
    req.on('data', (chunk: Buffer) => (body += chunk.toString()));
    req.on('end', () => {
      const header = String(req.headers['x-toolgate-signature']);
      const at = Number(/t=(\d+)/.exec(header)?.[1]) * 1000;
      const fresh = Math.abs(Date.now() - at) < 60_000;
      told.push({
        event: parse(JSON.parse(body)),
        signed: fresh && header === signatureOf(secret, body, at),
      });
      const answer = answers.shift() ?? 200;
      if (answer !== 'held') res.writeHead(answer).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook/of-nobody-else`,
    told,
    answer: (...next) => answers.push(...next),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
