import type { IncomingMessage, ServerResponse } from 'node:http';
import { isLoopback } from '../config/listen.ts';
import { clientMetadata, type ClientDescription } from '../credentials/oauth/client.ts';
import type { Consent, Consents } from '../credentials/oauth/consents.ts';
import { OauthError } from '../credentials/oauth/errors.ts';
import { EVERYONE } from '../credentials/oauth/target.ts';
import type { Log } from '../telemetry/log.ts';
import type { Cookie } from './cookies.ts';
import type { Entrance } from './entrance.ts';
import { isOwnPage } from './page.ts';
import { sendPage } from './pages.ts';
import { sendJsonText, sendProblem } from './respond.ts';

export const CALLBACK_PATH = '/oauth/callback';
export const CLIENT_METADATA_PATH = '/oauth/client-metadata.json';
/** As long as a sign-in may take. */
const BROWSER_MS = 10 * 60_000;
const CONNECT = /^\/oauth\/connect\/([\w-]{1,64})(\/continue)?$/;

/** The gateway as authorization servers see it that is reached at `base`. */
export function describeClient(base: string): ClientDescription {
  const { protocol, hostname } = new URL(base);
  const reachable = protocol === 'https:' && !isLoopback(hostname);
  return {
    redirectUri: base + CALLBACK_PATH,
    metadataUrl: reachable ? base + CLIENT_METADATA_PATH : undefined,
  };
}

/** Where the consent of this id is given, after the gateway's own address. */
export function consentPath(id: string): string {
  return `/oauth/connect/${id}`;
}

/**
 * The browser's way to a sign-in at a server's authorization server and back. Whoever opens the address sees first
 * whose sign-in it is; the way back takes only the browser that set out.
 */
export function createOauthRoutes({
  consents,
  cookie,
  entrance,
  description,
  log,
}: {
  readonly consents: Consents;
  /** Of a browser that is with an authorization server meanwhile. */
  readonly cookie: Cookie;
  readonly entrance: Pick<Entrance, 'personAt' | 'peopleSignIn'>;
  readonly description: () => ClientDescription;
  readonly log: Pick<Log, 'info'>;
}): (req: IncomingMessage, res: ServerResponse, path: string) => Promise<boolean> {
  const goOn = async (req: IncomingMessage, res: ServerResponse, id: string): Promise<void> => {
    // A link on another site would skip the page that says whose sign-in this is.
    if (!isOwnPage(req)) {
      res.writeHead(303, { location: consentPath(id), 'cache-control': 'no-store' }).end();
      return;
    }
    const consent = consents.find(id);
    const person = entrance.personAt(req);
    if (consent !== undefined && person !== consent.by && (person !== undefined || entrance.peopleSignIn())) {
      refuseOther(res, consent, person);
      return;
    }
    try {
      const { url, browser } = await consents.start(id, cookie.read(req));
      cookie.set(req, res, browser, BROWSER_MS);
      res.writeHead(303, { location: url, 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' });
      res.end();
    } catch (error) {
      failed(res, error, consent && consentPath(id), log);
    }
  };
  const comeBack = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const query = (req.url ?? '').split('?')[1] ?? '';
    try {
      const consent = await consents.finish(new URLSearchParams(query), cookie.read(req));
      sendPage(res, 200, {
        title: `${consent.target.id} is signed in`,
        paragraphs: [`Toolgate can use it for ${nameOf(consent)} now. What waited for it goes on by itself.`],
        ...(consent.returnTo !== undefined && {
          action: { label: 'Back to the editor', href: consent.returnTo },
        }),
        note: 'You can close this window.',
      });
    } catch (error) {
      failed(res, error, undefined, log);
    }
  };
  return async (req, res, path) => {
    if (!path.startsWith('/oauth/')) return false;
    const [, id, onward] = CONNECT.exec(path) ?? [];
    if (id === undefined && path !== CALLBACK_PATH && path !== CLIENT_METADATA_PATH) return false;
    if (req.method !== 'GET') sendProblem(res, 405, `${path} takes GET`, {}, { allow: 'GET' });
    else if (path === CALLBACK_PATH) await comeBack(req, res);
    else if (id === undefined) sendMetadata(res, description());
    else if (onward !== undefined) await goOn(req, res, id);
    else showConsent(res, consents.find(id));
    return true;
  };
}

/** What authorization servers read that take the address of a client's metadata for its id. */
function sendMetadata(res: ServerResponse, { metadataUrl, redirectUri }: ClientDescription): void {
  if (metadataUrl === undefined) {
    sendProblem(res, 404, 'only a gateway with an https address of its own (listen.publicUrl) has this');
    return;
  }
  const metadata = { client_id: metadataUrl, ...clientMetadata({ redirectUri }) };
  sendJsonText(res, 200, JSON.stringify(metadata), { 'cache-control': 'max-age=3600' });
}

function showConsent(res: ServerResponse, consent: Consent | undefined): void {
  if (consent === undefined) {
    sendPage(res, 404, {
      title: 'This sign-in is over',
      paragraphs: [
        'It was completed, or nobody completed it within ten minutes. Call the tool again to get a new one.',
      ],
    });
    return;
  }
  const { target } = consent;
  sendPage(res, 200, {
    title: `Sign in to ${target.id}`,
    paragraphs: [
      `Toolgate needs a sign-in at this server. Go on only if you are ${consent.by} and asked for this yourself: ${nameOf(consent)} will act there as whoever signs in now.`,
    ],
    facts: [
      ['Server', target.id],
      ['Address', target.url],
      ['For', nameOf(consent)],
    ],
    action: { label: 'Continue', href: `${consentPath(consent.id)}/continue` },
    note: 'The next page is that of whoever guards the server. Toolgate keeps what it gives, encrypted, and sees no password.',
  });
}

/** Whoever has the address of somebody else's consent would sign in for them (MCP, Elicitation, Safe URL Handling). */
function refuseOther(res: ServerResponse, { by }: Consent, person: string | undefined): void {
  const who = person === undefined ? 'is not signed in to Toolgate' : `is signed in to Toolgate as ${person}`;
  sendPage(res, 403, {
    title: `Only ${by} can go on`,
    paragraphs: [
      `This browser ${who}. Sign in to the console as ${by}, then open this address again. If somebody sent it to you, leave it.`,
    ],
    action: { label: 'Open the console', href: '/' },
  });
}

function failed(
  res: ServerResponse,
  error: unknown,
  again: string | undefined,
  log: Pick<Log, 'info'>,
): void {
  if (!(error instanceof OauthError)) throw error;
  log.info({ reason: error.message }, 'a sign-in at a server failed');
  sendPage(res, 400, {
    title: 'The sign-in failed',
    paragraphs: [error.message],
    ...(again !== undefined && { action: { label: 'Try again', href: again } }),
    note: 'Nothing was kept. Calling the tool again gives a new address.',
  });
}

function nameOf({ holder }: Consent): string {
  return holder === EVERYONE ? 'everyone who may use it' : holder;
}
