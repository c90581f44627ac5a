/** What text may be unsafe by, as guardrails name it. */
export const UNSAFE_CATEGORIES = ['sexual', 'slurs', 'violence', 'self-harm', 'profanity'] as const;
export type UnsafeCategory = (typeof UNSAFE_CATEGORIES)[number];
