import * as z from 'zod';

/**
 * The MCP Registry API, version 0.1 (`/v0.1/servers`), in the part that is served and read here. What other
 * registries add is passed over.
 */
const inputSchema = z.looseObject({
  name: z.string().default(''),
  description: z.string().optional(),
  value: z.string().optional(),
  default: z.string().optional(),
  isRequired: z.boolean().optional(),
  isSecret: z.boolean().optional(),
});
export type RegistryInput = z.infer<typeof inputSchema>;

const argumentSchema = z.looseObject({
  type: z.string(),
  name: z.string().optional(),
  value: z.string().optional(),
  default: z.string().optional(),
  valueHint: z.string().optional(),
  isRequired: z.boolean().optional(),
});

const remoteSchema = z.looseObject({
  type: z.string(),
  url: z.string(),
  headers: z.array(inputSchema).optional(),
});

const packageSchema = z.looseObject({
  registryType: z.string(),
  identifier: z.string(),
  version: z.string().optional(),
  transport: z.looseObject({ type: z.string() }).optional(),
  runtimeArguments: z.array(argumentSchema).optional(),
  packageArguments: z.array(argumentSchema).optional(),
  environmentVariables: z.array(inputSchema).optional(),
});
export type RegistryPackage = z.infer<typeof packageSchema>;

export const registryServerSchema = z.looseObject({
  name: z.string().min(1).max(300),
  title: z.string().optional(),
  description: z.string().default(''),
  version: z.string(),
  remotes: z.array(remoteSchema).optional(),
  packages: z.array(packageSchema).optional(),
});
export type RegistryServer = z.infer<typeof registryServerSchema>;

export const registryServerResponseSchema = z.looseObject({
  server: registryServerSchema,
  _meta: z.record(z.string(), z.unknown()).optional(),
});
export type RegistryServerResponse = z.infer<typeof registryServerResponseSchema>;

export const registryListSchema = z.looseObject({
  /** Each is read for itself. */
  servers: z.array(z.unknown()),
  metadata: z.looseObject({ nextCursor: z.string().nullish(), count: z.number().optional() }).optional(),
});
