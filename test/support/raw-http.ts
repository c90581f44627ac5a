import { connect } from 'node:net';

/**
 * Sends bytes as they are, and resolves with all that comes until the other side closes or `waitMs` have gone by. With
 * `drip`, that follows once a second.
 */
export function sendRaw(address: string, bytes: string, waitMs = 3_000, drip?: string): Promise<string> {
  const { hostname, port } = new URL(address);
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(Number(port), hostname, () => socket.write(bytes));
    const dripping = drip === undefined ? undefined : setInterval(() => socket.write(drip), 1_000);
    const timer = setTimeout(() => socket.destroy(), waitMs);
    socket.setEncoding('latin1').on('data', (text: string) => (answer += text));
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (!['ECONNRESET', 'EPIPE'].includes(error.code ?? '')) reject(error);
    });
    socket.once('close', () => {
      clearTimeout(timer);
      clearInterval(dripping);
      resolve(answer);
    });
  });
}

/** The statuses of the answers in what came, in order. */
export function statuses(answer: string): number[] {
  return [...answer.matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map(([, status]) => Number(status));
}
