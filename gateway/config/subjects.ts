import * as z from 'zod';
import { isConfidential } from './address.ts';
import { timeoutSchema } from './units.ts';

/** What follows the kind in a subject: an e-mail address fits, and nothing that reads as another subject. */
const ID = '[^\\s:*?@][^\\s:*?]{0,127}';

/** The name of a team or service account. */
const nameSchema = z
  .string()
  .max(64)
  .regex(/^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$/, 'use letters, digits and . _ - between them');

/** A subject: `user:ID` or `serviceaccount:NAME`. */
export const subjectSchema = z
  .string()
  .regex(new RegExp(`^(?:user|serviceaccount):${ID}$`), 'name a subject: user:ID or serviceaccount:NAME');

/** Whom a rule of access names: a subject or a team. */
export const granteeSchema = z
  .string()
  .regex(
    new RegExp(`^(?:user|serviceaccount|team):${ID}$`),
    'name a subject: user:ID, team:NAME or serviceaccount:NAME',
  );

/** The same, or everybody that has a token. */
export const anyoneSchema = z.union(
  [z.literal('everyone'), granteeSchema],
  'name a subject: user:ID, team:NAME, serviceaccount:NAME, or everyone',
);

/** A scope of OAuth 2.0, as RFC 6749 writes it (section 3.3). */
const scopeSchema = z.string().regex(/^[\x21\x23-\x5B\x5D-\x7E]{1,200}$/, 'write one scope, without spaces');

const attributes = {
  /** Conditions look at it: `principal.environment`. */
  environment: z.string().min(1).optional(),
  /** Conditions look at it: `principal.project`. */
  project: z.string().min(1).optional(),
  /** May do nothing, whatever its tokens and teams say. */
  disabled: z.boolean().default(false),
};

const userSchema = z.strictObject({
  /** What follows `user:`; an e-mail address, for instance. */
  name: z.string().regex(new RegExp(`^${ID}$`), 'write what follows "user:", without spaces and colons'),
  ...attributes,
});

const teamSchema = z.strictObject({ name: nameSchema, members: z.array(subjectSchema).default([]) });

const serviceAccountSchema = z.strictObject({ name: nameSchema, team: nameSchema.optional(), ...attributes });

/** The console as a client of an OpenID provider: people sign in to it there. */
const consoleSchema = z.strictObject({
  clientId: z.string().min(1).max(500),
  /** None for a public client. */
  clientSecret: z
    .string()
    .regex(
      /^\$\{(?:secret|env|file):[^}]+\}$/,
      'write a reference: ${secret:NAME}, ${env:NAME} or ${file:PATH}',
    )
    .optional(),
  /** What is asked for beside `openid`. */
  scopes: z.array(scopeSchema).default(['profile', 'email']),
  /** On the button, and in the address that the provider sends people back to; the issuer's host when left out. */
  name: z
    .string()
    .max(64)
    .regex(/^[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$/, 'use letters, digits and . - between them')
    .optional(),
});

/** An OpenID provider whose JSON Web Tokens are taken from callers. */
const oidcSchema = z.strictObject({
  issuer: z.url({ protocol: /^https?$/, message: 'must be an http or https address' }),
  /** Whom the token must be for; one of them. */
  audience: z.union([z.string().min(1), z.array(z.string().min(1)).min(1)]),
  /** Scopes that a token must have. */
  requiredScopes: z.array(scopeSchema).max(50).default([]),
  console: consoleSchema.optional(),
  /** Names of claims; `a.b` is a claim in a claim. */
  claims: z
    .strictObject({ user: z.string().min(1).default('sub'), teams: z.string().min(1).optional() })
    .prefault({}),
  /** How far the issuer's clock may be off; at most 5m. */
  clockSkew: timeoutSchema.refine((skew) => skew <= 300_000, 'must be at most 5m').default(30_000),
  /** Consent to reach the issuer on a loopback, private or link-local address. */
  allowPrivateAddress: z.boolean().default(false),
});

/**
 * Who there is. People need not be declared: whoever has a token is known by its subject. A service account is what
 * is declared here, and its tokens end with its entry.
 */
export const subjectsSchema = z.strictObject({
  /** May use and manage all, with a token that says so. */
  administrators: z.array(granteeSchema).default(['user:owner']),
  users: z.array(userSchema).default([]),
  teams: z.array(teamSchema).default([]),
  serviceAccounts: z.array(serviceAccountSchema).default([]),
  oidc: z.array(oidcSchema).default([]),
  /** How long a browser stays signed in to the console. */
  signIn: z
    .strictObject({
      /** Without a request of its page. */
      idle: timeoutSchema.default(2 * 3_600_000),
      /** In any case. */
      lifetime: timeoutSchema.default(12 * 3_600_000),
    })
    .prefault({}),
});
export type SubjectsConfig = z.infer<typeof subjectsSchema>;

/** Names that are given twice, or that name a team which is not there. */
export function subjectIssues(subjects: SubjectsConfig): { path: (string | number)[]; message: string }[] {
  const issues: { path: (string | number)[]; message: string }[] = [];
  for (const key of ['users', 'teams', 'serviceAccounts'] as const) {
    const names = subjects[key].map(({ name }) => name);
    names.forEach((name, index) => {
      if (names.indexOf(name) !== index)
        issues.push({ path: ['subjects', key, index, 'name'], message: `the name "${name}" is taken` });
    });
  }
  const teams = subjects.teams.map(({ name }) => name);
  subjects.serviceAccounts.forEach(({ team }, index) => {
    if (team === undefined || teams.includes(team)) return;
    const message = `there is no team "${team}"; teams: ${teams.join(', ') || 'none'}`;
    issues.push({ path: ['subjects', 'serviceAccounts', index, 'team'], message });
  });
  const issuers = subjects.oidc.map(({ issuer }) => issuer);
  issuers.forEach((issuer, index) => {
    if (issuers.indexOf(issuer) !== index)
      issues.push({ path: ['subjects', 'oidc', index, 'issuer'], message: `${issuer} is configured twice` });
  });
  subjects.oidc.forEach(({ issuer, console }, index) => {
    if (console === undefined || isConfidential(issuer)) return;
    const message = `people sign in over TLS: ${issuer} has to be an https address`;
    issues.push({ path: ['subjects', 'oidc', index, 'console'], message });
  });
  const names = subjects.oidc.map(signInNameOf);
  names.forEach((name, index) => {
    if (name === undefined || names.indexOf(name) === index) return;
    const message = `people sign in with "${name}" already; give this one another name`;
    issues.push({ path: ['subjects', 'oidc', index, 'console', 'name'], message });
  });
  return issues;
}

/** By what name people sign in to the console with an issuer; undefined where they cannot. */
export function signInNameOf({
  issuer,
  console,
}: Pick<SubjectsConfig['oidc'][number], 'issuer' | 'console'>): string | undefined {
  return console && (console.name ?? new URL(issuer).hostname.replace(/^\[|\]$/g, '').replaceAll(':', '-'));
}
