/** What text may be unsafe by, as guardrails name it. */
export const UNSAFE_CATEGORIES = ['sexual', 'slurs', 'violence', 'self-harm', 'profanity'] as const;
export type UnsafeCategory = (typeof UNSAFE_CATEGORIES)[number];

/** How readily a sentence is found unsafe that has none of the known words, at the price of false alarms. */
export const SENSITIVITIES = ['off', 'low', 'normal', 'high'] as const;
export type Sensitivity = (typeof SENSITIVITIES)[number];
