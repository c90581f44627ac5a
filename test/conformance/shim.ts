import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Shim {
  readonly address: string;
  close(): Promise<void>;
}

/**
 * Stands in front of a gateway and adds the token that the suite cannot send. All else is forwarded as it came,
 * foreign Host and Origin headers included; only this shim's own authority becomes the gateway's.
 */
export async function startShim(gateway: string, token: string): Promise<Shim> {
  const target = new URL(gateway);
  const server = createServer((req, res) => forward(req, res));
  const own = (): string => `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const forward = (req: IncomingMessage, res: ServerResponse): void => {
    const headers = { ...req.headers, authorization: `Bearer ${token}` };
    if (headers.host === own()) headers.host = target.host;
    if (headers.origin === `http://${own()}`) headers.origin = target.origin;
    const { method, url: path } = req;
    const onward = request({ host: target.hostname, port: target.port, method, path, headers }, (answer) => {
      res.writeHead(answer.statusCode ?? 502, answer.headers);
      res.flushHeaders();
      answer.on('error', () => res.destroy());
      answer.pipe(res);
    });
    onward.on('error', () => res.destroy());
    res.on('close', () => onward.destroy());
    req.pipe(onward);
  };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: `http://${own()}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
