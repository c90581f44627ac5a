import type { Request, Response } from 'express';
import { existsSync } from 'node:fs';
import { importFilesQuerySchema, importRequestSchema } from '../contract/import.ts';
import type { Configuration } from '../registry/configuration.ts';
import { clientFiles, type Machine } from '../registry/import/places.ts';
import { readProposal, secretsIn } from '../registry/import/proposal.ts';
import type { OwnAddress } from './own-address.ts';
import { readJson } from './body.ts';

const BODY_LIMIT = 8 * 1024 * 1024;

/** `POST /api/v1/import`: what a client's file would add; nothing is added. */
export function createImportRoute(
  configuration: Configuration,
  home: string,
  address: OwnAddress,
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
        gateway: address.originOf(req),
      }),
    );
  };
}

/** `GET /api/v1/import/files`: where other clients of this machine keep their servers. */
export function createImportFilesRoute(
  machine: Omit<Machine, 'folder'>,
): (req: Request, res: Response) => void {
  return (req, res) => {
    const folders = [importFilesQuerySchema.parse(req.query).folder].flat();
    const known = (folders.length === 0 ? [machine.home] : folders).flatMap((folder) =>
      clientFiles({ ...machine, folder }),
    );
    const files = [...new Map(known.map((one) => [one.file, one])).values()];
    res.json({
      files: files.filter(({ file, workspace }) => existsSync(file) && (!workspace || folders.length > 0)),
    });
  };
}
