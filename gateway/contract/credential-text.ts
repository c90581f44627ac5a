import type { CredentialView } from './credentials.ts';

/** How a credential is, as people say it. */
export function credentialWords(one: CredentialView, now: Date): string {
  const whose = one.subject === 'everyone' ? ' for everybody' : '';
  if (one.state === 'missing') return `Asks you for ${one.missing.join(', ')}.`;
  if (one.state === 'consent')
    return one.problem === undefined
      ? `Asks for a sign-in${whose}.`
      : `Asks for a new sign-in${whose}: ${one.problem}.`;
  if (one.kind === 'values') return 'Has all it asks you for.';
  if (one.signedInAt === undefined) return 'Signs in by itself.';
  if (one.validUntil === undefined) return `Signed in${whose}.`;
  return `Signed in${whose} until ${moment(new Date(one.validUntil), now)}${one.renews === true ? ', renewed by itself' : ''}.`;
}

/** A time of today, or a date with it. */
function moment(at: Date, now: Date): string {
  const time = at.toLocaleTimeString('en', { hour: '2-digit', minute: '2-digit', hour12: false });
  return at.toDateString() === now.toDateString()
    ? time
    : `${at.toLocaleDateString('en', { day: 'numeric', month: 'short', year: 'numeric' })}, ${time}`;
}
