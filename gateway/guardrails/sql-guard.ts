import type { GuardrailConfig } from '../config/policies/guardrails.ts';
import { isJsonObject } from '../contract/json.ts';
import { PASS, type Guard } from './guard.ts';
import { sqlProblem, type ParseSql } from './sql.ts';

type SqlConfig = Extract<GuardrailConfig, { kind: 'sql' }>;

/** Checks the arguments that hold SQL. The parser is loaded with the first statement there is. */
export function createSqlGuard({ name, arguments: named, dialect, readOnly }: SqlConfig): Guard['check'] {
  let parser: Promise<ParseSql> | undefined;
  return async ({ value }) => {
    const statements = isJsonObject(value)
      ? named.flatMap((argument) => (typeof value[argument] === 'string' ? [value[argument]] : []))
      : [];
    if (statements.length === 0) return PASS;
    parser ??= loadParser(dialect);
    const parse = await parser;
    for (const statement of statements) {
      const problem = sqlProblem(statement, parse, readOnly);
      if (problem !== undefined) return { is: 'block', words: `${name}: ${problem}` };
    }
    return PASS;
  };
}

/** A chunk of its own in the built program: its grammars take memory that only who checks SQL should spend. */
async function loadParser(dialect: SqlConfig['dialect']): Promise<ParseSql> {
  const { default: library } = await import('node-sql-parser');
  const parser = new library.Parser();
  return (text) => {
    const tree: unknown = parser.astify(text, { database: dialect });
    return Array.isArray(tree) ? (tree as unknown[]) : [tree];
  };
}
