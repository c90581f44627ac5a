import * as z from 'zod';

/** The programs whose lists of MCP servers can be read and written. */
export const CLIENTS = [
  'vscode',
  'claude-desktop',
  'claude-code',
  'cursor',
  'windsurf',
  'copilot-cli',
  'cline',
] as const;
export type ClientId = (typeof CLIENTS)[number];

/** `POST /api/v1/import` */
export const importRequestSchema = z.strictObject({
  /** What the file holds. */
  text: z.string(),
  client: z.enum(CLIENTS).optional(),
  /** Names taken in this group are avoided. */
  group: z.string().optional(),
  /** The workspace folder that the file belongs to. */
  folder: z.string().optional(),
  /** Consents to addresses on this machine and its network. */
  allowPrivateAddress: z.boolean().default(false),
});
export type ImportRequest = z.infer<typeof importRequestSchema>;

/** `GET /api/v1/import/files?folder=`: the files there are on the gateway's machine; `folder` is a workspace. */
export const importFilesQuerySchema = z.object({ folder: z.array(z.string()).or(z.string()).default([]) });
export const importFilesSchema = z.object({
  files: z.array(z.object({ client: z.enum(CLIENTS), file: z.string(), workspace: z.boolean() })),
});

/** What a client's file would add to the registry. Nothing has been added. */
export const proposalSchema = z.object({
  servers: z.array(
    z.object({
      /** What it is called in the file. */
      entry: z.string(),
      /** What it would be called here: a valid name that is free. */
      name: z.string(),
      /** As `POST /api/v1/groups/{group}/servers` takes it; credentials are references. */
      server: z.looseObject({ name: z.string() }),
      /** What is different here from there. */
      notes: z.array(z.string()),
    }),
  ),
  /** What could not be read; the rest goes on. */
  problems: z.array(
    z.object({ entry: z.string().optional(), line: z.number().int().optional(), message: z.string() }),
  ),
  /** Credentials that are written out in the file: to be kept as secrets, never in the configuration. */
  secrets: z.array(z.object({ name: z.string(), value: z.string(), usedBy: z.array(z.string()) })),
  /** What the client would ask for: secrets that are to be given a value. */
  inputs: z.array(
    z.object({
      id: z.string(),
      /** The name of the secret that stands for it. */
      secret: z.string(),
      description: z.string().optional(),
      password: z.boolean(),
      default: z.string().optional(),
      usedBy: z.array(z.string()),
    }),
  ),
});
export type Proposal = z.infer<typeof proposalSchema>;
