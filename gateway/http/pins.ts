import type { Request, Response } from 'express';
import { pinDecisionSchema, pinsQuerySchema, type PinsView } from '../contract/pins.ts';
import type { Principal } from '../identity/principal.ts';
import type { Catalog } from '../registry/catalog.ts';
import { serverPinsView } from '../registry/pin-views.ts';
import type { Pins } from '../registry/pins.ts';
import { readJson } from './body.ts';
import { sendProblem } from './respond.ts';

export interface PinRoutesDeps {
  readonly catalog: Catalog;
  readonly pins: Pins;
}

type Handler = (req: Request, res: Response, principal: Principal) => Promise<void> | void;

const BODY_LIMIT = 4 * 1024 * 1024;

/** `/api/v1/pins`: what waits for review, and the decisions on it. */
export function createPinRoutes({ catalog, pins }: PinRoutesDeps): {
  readonly list: Handler;
  readonly accept: Handler;
  readonly reject: Handler;
} {
  const decision =
    (state: 'accepted' | 'rejected'): Handler =>
    async (req, res, principal) => {
      const { server, items } = pinDecisionSchema.parse(await readJson(req, BODY_LIMIT));
      const entry = catalog.server(principal, server);
      if (entry === undefined) {
        sendProblem(res, 404, `there is no server "${server}"`, { field: 'server' });
        return;
      }
      if (await pins.decide(entry.pinned, items, { state, by: principal.subject })) {
        res.json(viewOf(catalog, principal, entry.id));
        return;
      }
      sendProblem(
        res,
        409,
        `nothing was decided: ${entry.fqn} does not offer one of these definitions any more, or it is accepted already; read /api/v1/pins again`,
        { field: 'items' },
      );
    };
  return {
    list: (req, res, principal) => {
      const { server } = pinsQuerySchema.parse(req.query);
      const entry = server === undefined ? undefined : catalog.server(principal, server);
      if (server !== undefined && entry === undefined)
        sendProblem(res, 404, `there is no server "${server}"`, { field: 'server' });
      else res.json(viewOf(catalog, principal, entry?.id));
    },
    accept: decision('accepted'),
    reject: decision('rejected'),
  };
}

/** All servers, or one. */
function viewOf(catalog: Catalog, principal: Principal, id: string | undefined): PinsView {
  const servers = catalog.servers(principal).filter((entry) => id === undefined || entry.id === id);
  return { servers: servers.map(serverPinsView) };
}
