import { Ajv, type ErrorObject, type Options, type ValidateFunction } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { RE2JS } from 're2js';
import { isJsonObject } from '../contract/json.ts';

/** Checks tool arguments against a tool's JSON Schema. */
export interface ArgumentValidator {
  /** Undefined when the arguments fit; else what is wrong, naming each field. */
  check(schema: unknown, value: unknown): string | undefined;
}

const MAX_SHOWN = 5;

/**
 * Compiles each schema once, when it is first needed, and forgets it with the catalog entry that holds it. JSON
 * Schema 2020-12 unless `$schema` says draft-07 or older. A schema that cannot be compiled refuses every call:
 * what cannot be checked is not let through.
 */
export function createArgumentValidator(): ArgumentValidator {
  const compiled = new WeakMap<object, ValidateFunction | string>();
  // Making a compiler costs more than a schema, so there is one a dialect. It keeps nothing of what it compiled:
  // two servers may use one `$id` for different schemas.
  const compilers = { draft07: new Ajv(OPTIONS), draft2020: new Ajv2020(OPTIONS) };
  return {
    check: (schema, value) => {
      if (!isJsonObject(schema)) return 'the server declares no input schema for this tool';
      let validate = compiled.get(schema);
      if (validate === undefined) compiled.set(schema, (validate = compile(schema, compilers)));
      if (typeof validate === 'string') return validate;
      if (validate(value)) return undefined;
      return explain(validate.errors ?? []);
    },
  };
}

/**
 * A server chooses the patterns of its schemas and a caller the text: by backtracking the two could stop the gateway,
 * so a pattern runs in an engine whose time grows with the text's length alone. What no such engine can do,
 * lookaround and back-references, is left for the server to check.
 */
const linearTime = Object.assign(
  (pattern: string, flags: string): { test(text: string): boolean; toString(): string } => {
    // Ajv keeps one of each by what it is as a string. A pattern that is none is an error of the schema.
    const text = new RegExp(pattern, flags).toString();
    return { test: compilePattern(pattern), toString: () => text };
  },
  // What compiled validators would be written out with; none are.
  { code: 'linearTime' },
);

function compilePattern(pattern: string): (text: string) => boolean {
  try {
    const compiled = RE2JS.compile(RE2JS.translateRegExp(pattern));
    return (text) => compiled.test(text);
  } catch {
    return () => true;
  }
}

const OPTIONS: Options = {
  strict: false,
  // `required: ["constructor"]` is not met by what every object inherits.
  ownProperties: true,
  allErrors: false,
  validateFormats: false,
  addUsedSchema: false,
  logger: false,
  code: { regExp: linearTime },
};

interface Compilers {
  readonly draft07: Ajv;
  readonly draft2020: Ajv2020;
}

function compile(schema: Record<string, unknown>, compilers: Compilers): ValidateFunction | string {
  const dialect = typeof schema['$schema'] === 'string' ? schema['$schema'] : '';
  const ajv = /draft-0[4-7]/.test(dialect) ? compilers.draft07 : compilers.draft2020;
  // The dialect is chosen; an unknown `$schema` address must not be looked up.
  const { $schema: _dialect, ...rest } = schema;
  try {
    return ajv.compile(rest);
  } catch (error) {
    return `the server's input schema cannot be used (${(error as Error).message}), so no call can be checked`;
  } finally {
    ajv.removeSchema(rest);
  }
}

function explain(errors: readonly ErrorObject[]): string {
  return errors
    .slice(0, MAX_SHOWN)
    .map((error) => {
      const field =
        error.instancePath === '' ? 'arguments' : error.instancePath.slice(1).replaceAll('/', '.');
      const extra = (error.params as { additionalProperty?: string }).additionalProperty;
      return `${field} ${error.message ?? 'is not valid'}${extra === undefined ? '' : ` ("${extra}")`}`;
    })
    .join('; ');
}
