/** The selectors of the configuration language: they mean tools by their annotations, not by their names. */
export const SELECTOR_NAMES = ['@all', '@read-only', '@write', '@destructive', '@unannotated'] as const;
export type SelectorName = (typeof SELECTOR_NAMES)[number];

export function isSelector(text: string): text is SelectorName {
  return (SELECTOR_NAMES as readonly string[]).includes(text);
}
