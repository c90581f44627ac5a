import type { Request, Response } from 'express';
import { presetsQuerySchema, type Presets } from '../contract/presets.ts';
import { searchPresets } from '../registry/presets.ts';
import { RegistryUnavailableError, searchRegistry } from '../registry/public-registry.ts';
import type { Dispatchers } from '../upstream/dispatcher.ts';
import { sendProblem } from './respond.ts';

/** `GET /api/v1/presets`: the known servers that are shipped, or those of an MCP registry. */
export function createPresetsRoute(dispatchers: Dispatchers): (req: Request, res: Response) => Promise<void> {
  return async (req, res) => {
    const { q, registry, allowPrivateAddress } = presetsQuerySchema.parse(req.query);
    if (registry === undefined) {
      const answer: Presets = { presets: [...searchPresets(q)], problems: [] };
      res.json(answer);
      return;
    }
    try {
      const dispatcher = dispatchers.for(allowPrivateAddress);
      res.json(await searchRegistry({ registry, query: q, dispatcher }));
    } catch (error) {
      if (!(error instanceof RegistryUnavailableError)) throw error;
      sendProblem(res, 502, error.message, { field: 'registry' });
    }
  };
}
