import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { extname, join } from 'node:path';
import { sendProblem } from './respond.ts';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.ttf': 'font/ttf',
  '.svg': 'image/svg+xml',
};

/** The hash of nothing: the page's component library tries out an empty style element. */
const EMPTY_STYLE = "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='";

const SECURITY = {
  'content-security-policy': `default-src 'none'; script-src 'self'; style-src 'self' ${EMPTY_STYLE}; font-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
  'cache-control': 'no-cache',
};

/**
 * Serves the web console: `index.html` at `/`, and the files beside it at `/assets/`. It holds no data; the page
 * asks the API for that with a token.
 */
export function createConsole(
  folder: string,
): (req: IncomingMessage, res: ServerResponse, path: string) => Promise<boolean> {
  return async (req, res, path) => {
    const name = path === '/' ? 'index.html' : /^\/assets\/([\w.-]+)$/.exec(path)?.[1];
    if (name === undefined) return false;
    const type = TYPES[extname(name)];
    const file = join(folder, name);
    const size =
      type === undefined
        ? undefined
        : await stat(file).then(
            (info) => info.size,
            () => undefined,
          );
    if (type === undefined || size === undefined) {
      sendProblem(
        res,
        404,
        path === '/' ? 'this build has no web console; run npm run build' : 'there is no such file',
      );
      return true;
    }
    if (req.method !== 'GET' && req.method !== 'HEAD') {
      sendProblem(res, 405, 'the console takes GET', {}, { allow: 'GET, HEAD' });
      return true;
    }
    res.writeHead(200, { ...SECURITY, 'content-type': type, 'content-length': size });
    if (req.method === 'HEAD') res.end();
    else
      createReadStream(file)
        .on('error', () => res.destroy())
        .pipe(res);
    return true;
  };
}
