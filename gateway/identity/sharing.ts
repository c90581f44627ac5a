import { createHmac, timingSafeEqual } from 'node:crypto';
import type { SharingAnswer } from '../contract/sharing.ts';

/**
 * How the gateways of several windows know each other. Whoever finds a port taken asks the program there for a
 * proof before anything secret is sent to it. The proofs hold for one nonce and one port, so that a program in
 * between cannot pass on what a gateway on another port answers.
 */
export interface Sharing {
  answer(nonce: string, port: number): SharingAnswer;
  /** `same`: started with all the same. `other-start`: the same owner's, with something else. */
  judge(nonce: string, port: number, answer: SharingAnswer): 'same' | 'other-start' | 'stranger';
}

export interface SharedStart {
  readonly ownerToken: string;
  readonly version: string;
  /** All that the gateway was started with, as text. */
  readonly start: string;
}

export function createSharing({ ownerToken, version, start }: SharedStart): Sharing {
  const proof = (what: string, nonce: string, port: number, pid: number, of: string): string =>
    createHmac('sha256', ownerToken)
      .update(JSON.stringify([what, nonce, port, pid, of]))
      .digest('hex');
  const proofs = (nonce: string, port: number, pid: number, of: string): [string, string] => [
    proof('owner', nonce, port, pid, of),
    proof(`start ${start}`, nonce, port, pid, of),
  ];
  return {
    answer: (nonce, port) => {
      const [ownerProof, startProof] = proofs(nonce, port, process.pid, version);
      return { owner: ownerProof, start: startProof, pid: process.pid, version };
    },
    judge: (nonce, port, { owner, start: startProof, pid, version: theirs }) => {
      const [expectedOwner, expectedStart] = proofs(nonce, port, pid, theirs);
      if (!equal(owner, expectedOwner)) return 'stranger';
      return theirs === version && equal(startProof, expectedStart) ? 'same' : 'other-start';
    },
  };
}

function equal(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}
