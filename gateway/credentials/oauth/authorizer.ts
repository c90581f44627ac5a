import type { Authorizer, Challenge } from '../../upstream/authorized.ts';
import { ConsentNeededError, UnavailableError } from '../../upstream/errors.ts';
import { discover } from './discovery.ts';
import { GrantRefusedError } from './errors.ts';
import type { Grant } from './grants.ts';
import type { Renewal, RenewalDeps } from './renewal.ts';
import { EVERYONE, type Holder, type OauthTarget } from './target.ts';

/** A token is renewed this long before it ends, so that none ends on its way. */
const AHEAD_MS = 60_000;
/** A token that is refused so soon after it was given would be refused again. */
const YOUNG_MS = 2_000;

/** Gives one holder's token for each request to a server, and finds another where it is refused. */
export function createAuthorizer(
  deps: RenewalDeps & { readonly renewal: Renewal },
  target: OauthTarget,
  holder: Holder,
): Authorizer {
  const { grants, renewal, now } = deps;
  const machine = target.auth.grant === 'client-credentials';
  const who = holder === EVERYONE ? 'somebody who manages its group' : holder;
  const needed = (why: string): ConsentNeededError =>
    new ConsentNeededError(target.id, `${who} has to sign in (${why})`);
  const renewed = async (work: Promise<Grant>): Promise<Grant> => {
    try {
      return await work;
    } catch (error) {
      if (error instanceof GrantRefusedError) throw needed(error.message);
      throw new UnavailableError(`no token for ${target.id}: ${(error as Error).message}`, { cause: error });
    }
  };
  const renew = (grant: Grant): Promise<Grant> =>
    renewed(machine ? renewal.obtain(target, holder) : renewal.renew(target, holder, grant));

  return {
    header: () => {
      const grant = grants.get(target, holder);
      if (grant === undefined) {
        if (!machine) return Promise.reject(needed('for the first time'));
        return renewed(renewal.obtain(target, holder)).then(bearer);
      }
      const { expiresAt = Infinity, problem } = grant;
      if (problem !== undefined && problem.kind !== 'scopes') return Promise.reject(needed(problem.message));
      const left = expiresAt - now();
      if (left > Math.min(AHEAD_MS, (expiresAt - grant.obtainedAt) / 4)) return bearer(grant);
      if (left <= 0) return renew(grant).then(bearer);
      // Still good for this request; the next one finds the new one.
      if (machine || grant.refreshToken !== undefined) renew(grant).catch(() => undefined);
      return bearer(grant);
    },
    refused: async (used, statusCode, challenge) => {
      const grant = grants.get(target, holder);
      if (grant === undefined) throw needed('the sign-in was taken back');
      if (bearer(grant) !== used) return true;
      if (statusCode === 403) return stepUp(deps, target, holder, grant, challenge, needed);
      if (machine)
        return now() - grant.obtainedAt > YOUNG_MS && (await renew(grant)).accessToken !== grant.accessToken;
      if (await hasMoved(deps, target, grant, challenge)) {
        await keepProblem(deps, target, holder, grant, {
          kind: 'refused',
          message: `the server takes tokens of another authorization server than ${grant.issuer} now`,
          scopes: [],
        });
        throw needed('the server has another authorization server now');
      }
      if (grant.refreshToken !== undefined && now() - grant.obtainedAt > YOUNG_MS)
        return (await renew(grant)).accessToken !== grant.accessToken;
      const message = 'the server does not take the token any more';
      await keepProblem(deps, target, holder, grant, { kind: 'refused', message, scopes: [] });
      throw needed(message);
    },
  };
}

/**
 * The token is good, and not for this (MCP 2026-07-28, Scope Challenge Handling). A server that wants scopes that
 * were granted already would want them for ever: that is an error, and no reason to sign in again.
 */
async function stepUp(
  deps: RenewalDeps & { readonly renewal: Renewal },
  target: OauthTarget,
  holder: Holder,
  grant: Grant,
  challenge: Challenge | undefined,
  needed: (why: string) => ConsentNeededError,
): Promise<boolean> {
  const asked = challenge?.scope?.split(' ').filter(Boolean) ?? [];
  const missing = asked.filter((scope) => !grant.scopes.includes(scope));
  // What was asked for and not granted would not be granted now.
  if (missing.every((scope) => grant.asked.includes(scope))) return false;
  if (target.auth.grant === 'client-credentials') {
    const next = await deps.renewal.obtain(target, holder, challenge);
    return missing.some((scope) => next.scopes.includes(scope));
  }
  const message = `it wants more than was granted: ${missing.join(' ')}`;
  await keepProblem(deps, target, holder, grant, { kind: 'scopes', message, scopes: missing });
  throw needed(message);
}

/** Whether the server names another authorization server by now; tokens and clients of one are nothing to another. */
async function hasMoved(
  { fetchFor }: Pick<RenewalDeps, 'fetchFor'>,
  target: OauthTarget,
  grant: Grant,
  challenge: Challenge | undefined,
): Promise<boolean> {
  try {
    const { as } = await discover(target, fetchFor(target.allowPrivateAddress), challenge ?? {});
    return as.issuer !== grant.issuer;
  } catch {
    return false;
  }
}

async function keepProblem(
  { grants, onChange }: Pick<RenewalDeps, 'grants' | 'onChange'>,
  target: OauthTarget,
  holder: Holder,
  grant: Grant,
  problem: NonNullable<Grant['problem']>,
): Promise<void> {
  await grants.set(target, holder, { ...grant, problem });
  onChange();
}

function bearer({ accessToken }: Grant): string {
  return `Bearer ${accessToken}`;
}
