import * as z from 'zod';
import { argumentBoundsSchema, resultBoundsSchema } from './policies/bounds.ts';
import { isSelector, SELECTOR_NAMES } from '../contract/selectors.ts';

export const effectSchema = z.enum(['allow', 'deny']);

/** A tool's name, a glob (`delete*`), or a selector. */
export const matchSchema = z
  .string()
  .min(1)
  .refine((match) => !match.startsWith('@') || isSelector(match), {
    error: ({ input }) => `unknown selector "${String(input)}"; known: ${SELECTOR_NAMES.join(' ')}`,
  });

/** Whether a `match` can mean one tool only. */
export function isExact(match: string): boolean {
  return !match.startsWith('@') && !/[*?]/.test(match);
}

/** A name that the configuration gives to a tool: what MCP and model APIs both take. */
export const toolNameSchema = z
  .string()
  .regex(/^[A-Za-z0-9_.-]{1,64}$/, 'use 1 to 64 letters, digits and _ . - in the name of a tool');

/** Values of arguments by their names. */
const argumentsSchema = z.record(z.string(), z.json());

/** Defaults are shown to callers, as part of the tool's schema. */
const defaultsSchema = argumentsSchema.refine((values) => !JSON.stringify(values).includes('${'), {
  error: 'must hold no reference, since defaults are shown; write it under fixed',
});

const annotationsSchema = z.strictObject({
  title: z.string().optional(),
  readOnlyHint: z.boolean().optional(),
  destructiveHint: z.boolean().optional(),
  idempotentHint: z.boolean().optional(),
  openWorldHint: z.boolean().optional(),
});

/**
 * What holds for some of a server's tools, and how they are shown. Every rule that matches applies: of the effects
 * deny beats allow; of the rest the first rule that sets a property (an annotation, an argument) counts.
 */
export const toolRuleSchema = z
  .strictObject({
    /** By the server's own name, and for overrides by the server's own annotations. */
    match: matchSchema,
    effect: effectSchema.optional(),
    /** In CEL: when the effect counts. */
    when: z.string().min(1).max(2000).optional(),
    rename: toolNameSchema.optional(),
    title: z.string().optional(),
    description: z.string().optional(),
    annotations: annotationsSchema.default({}),
    /** Sent when the caller leaves the argument out. */
    defaults: defaultsSchema.default({}),
    /** Always sent, not shown, and refused from a caller. References are resolved. */
    fixed: argumentsSchema.default({}),
    /** How large the arguments and the result may be. */
    arguments: argumentBoundsSchema.optional(),
    result: resultBoundsSchema.optional(),
  })
  .check((context) => {
    const { match, rename, defaults, fixed, ...rest } = context.value;
    const issue = (path: string[], message: string): void => {
      context.issues.push({ code: 'custom', input: context.value, path, message });
    };
    const says =
      rename !== undefined ||
      [rest.effect, rest.title, rest.description, rest.arguments, rest.result].some(
        (value) => value !== undefined,
      ) ||
      [rest.annotations, defaults, fixed].some((values) => Object.keys(values).length > 0);
    if (!says) {
      issue(
        [],
        'says nothing of its tools; give effect, rename, title, description, annotations, defaults, fixed, arguments or result',
      );
    }
    if (rename !== undefined && !isExact(match))
      issue(['rename'], `needs a match that is the name of one tool; "${match}" can match several`);
    if (rest.when !== undefined && rest.effect === undefined)
      issue(['when'], 'says when an effect counts; give the effect, allow or deny');
    for (const name of Object.keys(defaults)) {
      if (Object.hasOwn(fixed, name))
        issue(
          ['defaults', name],
          `"${name}" is fixed by the same rule, so that its default would never count`,
        );
    }
  });
export type ToolRule = z.infer<typeof toolRuleSchema>;

/** Renames of one server that would give two tools one name, each with the place of the later rule. */
export function renameCollisions(rules: readonly ToolRule[]): { index: number; message: string }[] {
  const issues: { index: number; message: string }[] = [];
  const given = new Map<string, { match: string; index: number }>();
  const renamed = new Set<string>();
  rules.forEach(({ match, rename }, index) => {
    // Of several rules for one tool the first that renames it counts.
    if (rename === undefined || renamed.has(match)) return;
    renamed.add(match);
    const first = given.get(rename);
    if (first === undefined) given.set(rename, { match, index });
    else {
      const message = `"${match}" cannot be "${rename}": tools[${first.index}] gives that name to "${first.match}"; choose another`;
      issues.push({ index, message });
    }
  });
  return issues;
}
