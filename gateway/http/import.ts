import type { Request, Response } from 'express';
import { importRequestSchema } from '../contract/import.ts';
import type { Configuration } from '../registry/configuration.ts';
import { readProposal, secretsIn } from '../registry/import/proposal.ts';
import { readJson } from './body.ts';

const BODY_LIMIT = 8 * 1024 * 1024;

/** `POST /api/v1/import`: what a client's file would add; nothing is added. */
export function createImportRoute(
  configuration: Configuration,
  home: string,
): (req: Request, res: Response) => Promise<void> {
  return async (req, res) => {
    const { text, group, ...context } = importRequestSchema.parse(await readJson(req, BODY_LIMIT));
    const { config, text: current } = configuration.current();
    const servers = config.groups.find(({ name }) => name === group)?.servers ?? [];
    res.json(
      readProposal(text, {
        ...context,
        home,
        taken: servers.map(({ name }) => name),
        secretsInUse: secretsIn(current),
        gateway: `http://${req.headers.host ?? ''}`,
      }),
    );
  };
}
