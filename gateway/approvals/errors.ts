/**
 * Why something was not done with an approval: there is none, it is not theirs to decide, it is decided already, what
 * was asked does not fit it, or too many wait.
 */
export class ApprovalError extends Error {
  readonly kind: 'missing' | 'forbidden' | 'decided' | 'unfit' | 'full';

  constructor(kind: ApprovalError['kind'], message: string) {
    super(message);
    this.name = 'ApprovalError';
    this.kind = kind;
  }
}
