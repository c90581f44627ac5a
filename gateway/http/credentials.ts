import type { Request, Response } from 'express';
import type { Decide } from '../access/decide.ts';
import { placeholdersOf } from '../config/placeholders.ts';
import { credentialValuesSchema, type CredentialView } from '../contract/credentials.ts';
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
}

type Handler = (req: Request, res: Response, principal: Principal) => Promise<void> | void;

/** `/api/v1/credentials`: everybody's own, for the servers they may see. Values go in and never come out. */
export function createCredentialRoutes({ catalog, decide, personal }: CredentialRoutesDeps): {
  readonly list: Handler;
  readonly set: Handler;
  readonly remove: Handler;
} {
  const find = (req: Request, res: Response, principal: Principal): ServerEntry | undefined => {
    const id = `${String(req.params['group'])}:${String(req.params['server'])}`;
    const entry = catalog.servers(principal).find((one) => one.id === id);
    if (entry === undefined) sendProblem(res, 404, `there is no server "${id}"`, { field: 'server' });
    else if (placeholdersOf(entry.config).length > 0) return entry;
    else sendProblem(res, 400, `${entry.fqn} asks nobody for credentials of their own`, { field: 'server' });
    return undefined;
  };
  return {
    list: (req, res, principal) => {
      const asked = catalog.servers(principal).filter((entry) => placeholdersOf(entry.config).length > 0);
      const everybody =
        req.query['all'] === 'true' && decide(principal, { action: 'manage' }).effect === 'allow';
      const credentials = asked.flatMap((entry) => {
        const others = everybody ? personal.holders(registrationOf(entry)) : [];
        const subjects = new Set([principal.subject, ...others]);
        return [...subjects].map((subject) => viewOf(personal, entry, subject));
      });
      res.json({ credentials });
    },
    set: async (req, res, principal) => {
      const entry = find(req, res, principal);
      if (entry === undefined) return;
      const { values } = credentialValuesSchema.parse(await readJson(req, BODY_LIMIT));
      const fields = placeholdersOf(entry.config);
      const unknown = Object.keys(values).find((name) => !fields.includes(name));
      if (unknown !== undefined) {
        const detail = `values.${unknown}: ${entry.fqn} asks for ${fields.join(', ')}`;
        sendProblem(res, 400, detail, { field: `values.${unknown}` });
        return;
      }
      try {
        await personal.set(registrationOf(entry), principal.subject, values);
      } catch (error) {
        if (!(error instanceof VaultReadOnlyError)) throw error;
        sendProblem(res, 409, error.message, { rule: 'secrets-read-only' });
        return;
      }
      res.json(viewOf(personal, entry, principal.subject));
    },
    remove: async (req, res, principal) => {
      const entry = find(req, res, principal);
      if (entry === undefined) return;
      if (await personal.remove(registrationOf(entry), principal.subject))
        res.json(viewOf(personal, entry, principal.subject));
      else sendProblem(res, 404, `you have given nothing for ${entry.fqn}`, { field: 'server' });
    },
  };
}

function registrationOf({ pinned, config }: ServerEntry): Registration {
  return { id: pinned.id, fingerprint: pinned.fingerprint, server: config };
}

function viewOf(personal: PersonalCredentials, entry: ServerEntry, subject: string): CredentialView {
  const missing = personal.missing(registrationOf(entry), subject);
  return {
    server: entry.fqn,
    group: entry.group,
    name: entry.name,
    subject,
    state: missing.length === 0 ? 'ok' : 'missing',
    fields: placeholdersOf(entry.config),
    missing,
  };
}
