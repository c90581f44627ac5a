import * as z from 'zod';
import { addressSchema, isConfidential } from './address.ts';

const endpointSchema = addressSchema.refine(
  isConfidential,
  'must be an https address: what is sent there is secret',
);

/** How the gateway gets tokens for a server (OAuth 2.1; MCP 2025-11-25 and 2026-07-28, Authorization). */
export const oauthSchema = z
  .strictObject({
    type: z.literal('oauth2'),
    grant: z.enum(['authorization-code', 'client-credentials']).default('authorization-code'),
    /** Each person signs in for themselves, as they do when it is left out; `false`: one signs in for everybody. */
    perUser: z.boolean().optional(),
    /** What to ask for; left out, what the server says it needs. */
    scopes: z.array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/, 'is no scope')).optional(),
    /** A client that is registered already; left out, the gateway registers itself. References are resolved. */
    clientId: z.string().min(1).optional(),
    clientSecret: z
      .string()
      .regex(
        /^\$\{(?:secret|env|file):[^}]+\}$/,
        'write a reference: ${secret:NAME}, ${env:NAME} or ${file:PATH}',
      )
      .optional(),
    clientAuthentication: z.enum(['client_secret_basic', 'client_secret_post']).optional(),
    /** The one authorization server to trust; left out, the one that the server names. */
    issuer: endpointSchema.optional(),
    /** In place of what an issuer says of itself. */
    authorizationUrl: endpointSchema.optional(),
    tokenUrl: endpointSchema.optional(),
    revocationUrl: endpointSchema.optional(),
  })
  .check(({ value, issues }) => {
    const issue = (wrong: boolean, path: string, message: string): void => {
      if (wrong) issues.push({ code: 'custom', input: value, path: [path], message });
    };
    const { grant, clientId, clientSecret, issuer, authorizationUrl, tokenUrl } = value;
    const machine = grant === 'client-credentials';
    issue(machine && clientId === undefined, 'clientId', 'client-credentials need a clientId');
    issue(machine && clientSecret === undefined, 'clientSecret', 'client-credentials need a clientSecret');
    issue(machine && value.perUser === true, 'perUser', 'client-credentials are the same for everybody');
    issue(
      clientSecret !== undefined && clientId === undefined,
      'clientId',
      'a clientSecret needs a clientId',
    );
    const whose = issuer ?? tokenUrl;
    issue(
      clientSecret !== undefined && whose === undefined,
      'issuer',
      'name the authorization server that the clientSecret is for, so that it is sent to no other',
    );
    issue(
      issuer !== undefined && tokenUrl !== undefined,
      'issuer',
      'is in place of authorizationUrl and tokenUrl',
    );
    issue(
      authorizationUrl !== undefined && tokenUrl === undefined,
      'tokenUrl',
      'authorizationUrl needs a tokenUrl',
    );
    issue(authorizationUrl !== undefined && machine, 'authorizationUrl', 'client-credentials ask nobody');
    issue(
      tokenUrl !== undefined && authorizationUrl === undefined && !machine,
      'authorizationUrl',
      'tokenUrl needs an authorizationUrl',
    );
    issue(tokenUrl !== undefined && clientId === undefined, 'clientId', 'tokenUrl needs a clientId');
  });
export type OauthConfig = z.infer<typeof oauthSchema>;

/** Whether each person signs in, rather than one for everybody. */
export function signsInEach(auth: Pick<OauthConfig, 'grant' | 'perUser'>): boolean {
  return auth.perUser ?? auth.grant === 'authorization-code';
}
