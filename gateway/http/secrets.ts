import type { Request, Response } from 'express';
import type { ReferenceSource } from '../config/references.ts';
import type { Config } from '../config/schema.ts';
import { secretUses } from '../config/unresolved.ts';
import { secretValueSchema, type SecretList } from '../contract/secrets.ts';
import { SECRET_NAME, VaultReadOnlyError, type SecretVault } from '../credentials/vault.ts';
import { readJson } from './body.ts';
import { sendProblem } from './respond.ts';

const BODY_LIMIT = 256 * 1024;

export interface SecretRoutesDeps {
  readonly vault: SecretVault;
  readonly config: () => Config;
  readonly references: ReferenceSource;
}

type Handler = (req: Request, res: Response) => Promise<void> | void;

/** `/api/v1/secrets`, for administrators. Values go in and never come out. */
export function createSecretRoutes({ vault, config, references }: SecretRoutesDeps): {
  readonly list: Handler;
  readonly set: Handler;
  readonly remove: Handler;
} {
  const named = (req: Request, res: Response): string | undefined => {
    const name = String(req.params['name']);
    if (SECRET_NAME.test(name)) return name;
    sendProblem(res, 400, 'name: use 1 to 100 letters, digits and . _ -', { field: 'name' });
    return undefined;
  };
  const changing = async (res: Response, change: () => Promise<boolean>, name: string): Promise<void> => {
    try {
      if (await change()) res.json(listOf(vault, config(), references));
      else sendProblem(res, 404, `there is no secret "${name}"`, { field: 'name' });
    } catch (error) {
      if (!(error instanceof VaultReadOnlyError)) throw error;
      sendProblem(res, 409, error.message, { rule: error.rule });
    }
  };
  return {
    list: (_req, res) => void res.json(listOf(vault, config(), references)),
    set: async (req, res) => {
      const name = named(req, res);
      if (name === undefined) return;
      const { value } = secretValueSchema.parse(await readJson(req, BODY_LIMIT));
      await changing(res, () => vault.set(name, value).then(() => true), name);
    },
    remove: async (req, res) => {
      const name = named(req, res);
      if (name === undefined) return;
      const usedBy = secretUses(config()).get(name) ?? [];
      if (usedBy.length > 0 && req.query['force'] !== 'true') {
        const detail = `${usedBy.join(', ')} would lose it: take the reference out first, or repeat this with ?force=true`;
        sendProblem(res, 409, detail, { rule: 'secret-in-use' });
        return;
      }
      await changing(res, () => vault.delete(name), name);
    },
  };
}

function listOf(vault: SecretVault, config: Config, references: ReferenceSource): SecretList {
  const uses = secretUses(config);
  return {
    secrets: vault
      .list()
      .filter(({ name }) => SECRET_NAME.test(name))
      .map((entry) => ({ ...entry, usedBy: uses.get(entry.name) ?? [] })),
    missing: [...uses]
      .filter(([name]) => (references('secret', name) ?? '') === '')
      .map(([name, usedBy]) => ({ name, usedBy })),
  };
}
