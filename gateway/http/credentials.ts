import type { Request, Response } from 'express';
import type { Decide } from '../access/decide.ts';
import { placeholdersOf } from '../config/placeholders.ts';
import {
  authorizeRequestSchema,
  credentialValuesSchema,
  type AuthorizeAnswer,
  type CredentialView,
} from '../contract/credentials.ts';
import type { ConsentDesk } from '../credentials/consent-desk.ts';
import { OauthError } from '../credentials/oauth/errors.ts';
import type { Oauth } from '../credentials/oauth/oauth.ts';
import { EVERYONE, holderOf, oauthTarget, type OauthTarget } from '../credentials/oauth/target.ts';
import type { PersonalCredentials, Registration } from '../credentials/personal.ts';
import { VaultReadOnlyError } from '../credentials/vault.ts';
import type { Principal } from '../identity/principal.ts';
import type { Catalog } from '../registry/catalog.ts';
import type { ServerEntry } from '../registry/entry.ts';
import { readJson } from './body.ts';
import { sendProblem } from './respond.ts';

const BODY_LIMIT = 256 * 1024;

export interface CredentialRoutesDeps {
  readonly catalog: Catalog;
  readonly decide: Decide;
  readonly personal: PersonalCredentials;
  readonly oauth: Oauth;
  readonly consentDesk: ConsentDesk;
}

type Handler = (req: Request, res: Response, principal: Principal) => Promise<void> | void;

/** `/api/v1/credentials`: everybody's own, for the servers they may see. Values go in and never come out. */
export function createCredentialRoutes(
  deps: CredentialRoutesDeps,
): Readonly<Record<'list' | 'set' | 'remove' | 'authorize' | 'renew', Handler>> {
  const { catalog, decide, personal, oauth, consentDesk } = deps;
  const manages = (principal: Principal, { group }: ServerEntry): boolean =>
    decide(principal, { action: 'manage', group }).effect === 'allow';
  const find = (req: Request, res: Response, principal: Principal): ServerEntry | undefined => {
    const id = `${String(req.params['group'])}:${String(req.params['server'])}`;
    const entry = catalog.servers(principal).find((one) => one.id === id);
    if (entry === undefined) sendProblem(res, 404, `there is no server "${id}"`, { field: 'server' });
    else if (asksAnything(entry)) return entry;
    else sendProblem(res, 400, `${entry.fqn} asks nobody for credentials of their own`, { field: 'server' });
    return undefined;
  };
  /** Whose sign-in the principal may change; answers where it is none of theirs. */
  const signIn = (
    res: Response,
    principal: Principal,
    entry: ServerEntry,
  ): { readonly target: OauthTarget; readonly holder: string } | undefined => {
    const target = oauthTarget(entry.pinned, entry.config);
    if (target === undefined) {
      sendProblem(res, 400, `${entry.fqn} asks for values, not for a sign-in`, { field: 'server' });
      return undefined;
    }
    const holder = holderOf(target, principal.subject);
    if (holder !== EVERYONE || manages(principal, entry)) return { target, holder };
    sendProblem(
      res,
      403,
      `the sign-in of ${entry.fqn} is everybody's: whoever manages its group changes it`,
      {
        rule: 'shared-credential',
      },
    );
    return undefined;
  };
  return {
    list: (req, res, principal) => {
      const administers = decide(principal, { action: 'manage' }).effect === 'allow';
      const everybody = req.query['all'] === 'true' && administers;
      const credentials = catalog
        .servers(principal)
        .filter(asksAnything)
        .flatMap((entry) => viewsOf(deps, entry, principal, everybody));
      res.json({ credentials });
    },
    set: async (req, res, principal) => {
      const entry = find(req, res, principal);
      if (entry === undefined) return;
      const { values } = credentialValuesSchema.parse(await readJson(req, BODY_LIMIT));
      const fields = placeholdersOf(entry.config);
      const unknown = Object.keys(values).find((name) => !fields.includes(name));
      if (unknown !== undefined) {
        const asks = fields.length === 0 ? 'a sign-in (POST …/authorize)' : fields.join(', ');
        const detail = `values.${unknown}: ${entry.fqn} asks for ${asks}`;
        sendProblem(res, 400, detail, { field: `values.${unknown}` });
        return;
      }
      await kept(res, async () => {
        await personal.set(registrationOf(entry), principal.subject, values);
        res.json(valuesView(personal, entry, principal.subject));
      });
    },
    remove: async (req, res, principal) => {
      const entry = find(req, res, principal);
      if (entry === undefined) return;
      await kept(res, async () => {
        if (placeholdersOf(entry.config).length > 0) {
          if (await personal.remove(registrationOf(entry), principal.subject))
            res.json(valuesView(personal, entry, principal.subject));
          else sendProblem(res, 404, `you have given nothing for ${entry.fqn}`, { field: 'server' });
          return;
        }
        const own = signIn(res, principal, entry);
        if (own === undefined) return;
        const removed = await oauth.remove(own.target, own.holder);
        if (removed !== undefined) res.json(signInView(oauth, entry, own.target, own.holder));
        else sendProblem(res, 404, `nobody is signed in to ${entry.fqn}`, { field: 'server' });
      });
    },
    authorize: async (req, res, principal) => {
      const entry = find(req, res, principal);
      const own = entry && signIn(res, principal, entry);
      if (entry === undefined || own === undefined) return;
      const asked = hasBody(req) ? await readJson(req, BODY_LIMIT) : {};
      const { returnTo } = authorizeRequestSchema.parse(asked);
      await kept(res, () => {
        const consent = consentDesk.request(principal, entry, returnTo);
        if (consent === undefined) {
          sendProblem(res, 400, `${entry.fqn} uses client credentials, which nobody signs in for`, {
            field: 'server',
          });
          return;
        }
        const answer: AuthorizeAnswer = {
          url: consent.url,
          expiresAt: new Date(consent.expiresAt).toISOString(),
        };
        res.json(answer);
      });
    },
    renew: async (req, res, principal) => {
      const entry = find(req, res, principal);
      const own = entry && signIn(res, principal, entry);
      if (entry === undefined || own === undefined) return;
      await kept(res, async () => {
        await oauth.renew(own.target, own.holder);
        res.json(signInView(oauth, entry, own.target, own.holder));
      });
    },
  };
}

function hasBody({ headers }: Request): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

/** Answers what cannot be kept, and what an authorization server does not give. */
async function kept(res: Response, work: () => Promise<void> | void): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (error instanceof VaultReadOnlyError) sendProblem(res, 409, error.message, { rule: error.rule });
    else if (error instanceof OauthError) sendProblem(res, 409, error.message, { rule: 'oauth' });
    else throw error;
  }
}

function asksAnything({ config }: ServerEntry): boolean {
  return config.auth.type === 'oauth2' || placeholdersOf(config).length > 0;
}

function viewsOf(
  { personal, oauth }: CredentialRoutesDeps,
  entry: ServerEntry,
  principal: Principal,
  everybody: boolean,
): CredentialView[] {
  const target = oauthTarget(entry.pinned, entry.config);
  if (target === undefined) {
    const others = everybody ? personal.holders(registrationOf(entry)) : [];
    return [...new Set([principal.subject, ...others])].map((one) => valuesView(personal, entry, one));
  }
  const others = everybody ? oauth.everHeld(target) : [];
  const holders = new Set([holderOf(target, principal.subject), ...others]);
  return [...holders].map((holder) => signInView(oauth, entry, target, holder));
}

function registrationOf({ pinned, config }: ServerEntry): Registration {
  return { id: pinned.id, fingerprint: pinned.fingerprint, server: config };
}

function valuesView(personal: PersonalCredentials, entry: ServerEntry, subject: string): CredentialView {
  const missing = personal.missing(registrationOf(entry), subject);
  const { fqn: server, group, name } = entry;
  const state = missing.length === 0 ? 'ok' : 'missing';
  return {
    ...{ server, group, name, subject },
    kind: 'values',
    state,
    fields: placeholdersOf(entry.config),
    missing,
  };
}

function signInView(
  oauth: Oauth,
  { fqn: server, group, name }: ServerEntry,
  target: OauthTarget,
  subject: string,
): CredentialView {
  const { state, issuer, scopes, signedInAt, validUntil, renews, problem } = oauth.health(target, subject);
  return {
    ...{ server, group, name, subject },
    ...{ kind: 'oauth2', state, fields: [], missing: [] },
    ...(issuer !== undefined && { issuer }),
    ...(scopes !== undefined && { scopes: [...scopes] }),
    ...(signedInAt !== undefined && { signedInAt: new Date(signedInAt).toISOString() }),
    ...(validUntil !== undefined && { validUntil: new Date(validUntil).toISOString() }),
    ...(renews !== undefined && { renews }),
    ...(problem !== undefined && { problem }),
  };
}
