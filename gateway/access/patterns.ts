import { RE2JS } from 're2js';

/** A pattern of a guardrail of kind `regex`, ready to be looked for. */
export interface CompiledPattern {
  readonly expression: RE2JS;
  readonly replace: string | undefined;
}

/** Throws where one is no RE2 pattern. */
export function compilePatterns(
  patterns: readonly { readonly pattern: string; readonly replace?: string | undefined }[],
): readonly CompiledPattern[] {
  return patterns.map(({ pattern, replace }) => ({
    expression: RE2JS.compile(RE2JS.translateRegExp(pattern)),
    replace,
  }));
}
