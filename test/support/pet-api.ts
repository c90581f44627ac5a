import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import express, { type Request } from 'express';

export interface PetApi {
  /** `http://127.0.0.1:PORT`. */
  readonly origin: string;
  /** What arrived, newest last. */
  readonly seen: Request[];
  /** Changes the document that is served; undefined serves none (503). */
  document: object | undefined;
  close(): void;
}

const KEY = 'Bearer pets-key';

/** A real HTTP API under `/v1`, behind a bearer token, with its OpenAPI 3.0 document at `/openapi.json`. */
export async function startPetApi(): Promise<PetApi> {
  const seen: Request[] = [];
  const pets = new Map<string, object>([['rex', { id: 'rex', name: 'Rex', tag: null }]]);
  const app = express();
  app.set('query parser', 'extended');
  app.use(express.json(), express.urlencoded({ extended: true }), express.text());
  app.use((req, _res, next) => {
    seen.push(req);
    next();
  });
  const api: PetApi = {
    origin: '',
    seen,
    document: PET_DOCUMENT,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
  app.get('/openapi.json', (_req, res) => {
    if (api.document === undefined) res.status(503).end();
    else res.json(api.document);
  });
  app.use('/v1', (req, res, next) => {
    if (req.headers.authorization === KEY) next();
    else res.status(401).json({ error: 'no key' });
  });
  app.get(
    '/v1/pets',
    (req, res) => void res.json([...pets.values()].slice(0, Number(req.query['limit'] ?? 10))),
  );
  app.post('/v1/pets', (req, res) => {
    const pet = req.body as { id: string };
    pets.set(pet.id, pet);
    res.status(201).json(pet);
  });
  app.get('/v1/pets/:id', (req, res) => {
    const pet = pets.get(req.params.id);
    if (pet === undefined) res.status(404).json({ error: `no pet ${req.params.id}` });
    else res.json(pet);
  });
  app.delete('/v1/pets/:id', (req, res) => {
    pets.delete(req.params.id);
    res.status(204).end();
  });
  app.get('/v1/pets/:id/photo', (_req, res) => void res.type('image/png').send(PIXEL));
  app.get(
    '/v1/echo',
    (req, res) => void res.json({ query: req.query, trace: req.headers['x-trace'] ?? null }),
  );
  app.get('/v1/large', (_req, res) => void res.type('text/plain').send('x'.repeat(17 * 1024 * 1024)));
  app.get('/v1/moved', (_req, res) => {
    res.redirect('http://169.254.169.254/latest');
  });
  app.get('/v1/slow', () => undefined);
  const server = await new Promise<Server>((done) => {
    const listening = app.listen(0, '127.0.0.1', () => done(listening));
  });
  return Object.assign(api, { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
}

export const PIXEL = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);

const id = { name: 'petId', in: 'path', required: true, schema: { type: 'string' } };

/** As such documents are: references, a schema that holds itself, things of version 3.0, and things nobody can call. */
export const PET_DOCUMENT = {
  openapi: '3.0.3',
  info: { title: 'Pets', version: '2.1.0' },
  paths: {
    '/pets': {
      get: {
        operationId: 'listPets',
        summary: 'List pets',
        parameters: [
          { name: 'limit', in: 'query', description: 'How many', schema: { type: 'integer', maximum: 100 } },
        ],
      },
      post: {
        operationId: 'createPet',
        requestBody: {
          required: true,
          content: { 'application/json': { schema: { $ref: '#/components/schemas/Pet' } } },
        },
      },
    },
    '/pets/{petId}': {
      parameters: [{ $ref: '#/components/parameters/petId' }],
      get: { operationId: 'getPet', description: 'One pet' },
      delete: { deprecated: true },
    },
    '/pets/{petId}/photo': {
      parameters: [id],
      get: { operationId: 'getPhoto' },
      put: {
        operationId: 'putPhoto',
        requestBody: { required: true, content: { 'image/png': {} } },
      },
    },
    '/echo': {
      get: {
        operationId: 'echo',
        parameters: [
          { name: 'tags', in: 'query', explode: false, schema: { type: 'array', items: { type: 'string' } } },
          { name: 'filter', in: 'query', style: 'deepObject', explode: true, schema: { type: 'object' } },
          { name: 'q[]', in: 'query', schema: { type: 'array', items: { type: 'string' } } },
          { name: 'X-Trace', in: 'header', schema: { type: 'string' } },
          { name: 'Authorization', in: 'header', schema: { type: 'string' } },
        ],
      },
    },
    '/large': { get: { operationId: 'large' } },
    '/moved': { get: { operationId: 'moved' } },
    '/slow': { get: { operationId: 'slow' } },
    '/elsewhere': {
      get: { operationId: 'elsewhere', parameters: [{ $ref: 'https://other.example/p.json#/x' }] },
    },
  },
  components: {
    parameters: { petId: id },
    schemas: {
      Pet: {
        type: 'object',
        required: ['id', 'name', 'created'],
        properties: {
          id: { type: 'string' },
          name: { type: 'string' },
          tag: { type: 'string', nullable: true },
          created: { type: 'string', readOnly: true },
          parent: { $ref: '#/components/schemas/Pet' },
        },
      },
    },
  },
};
