import type { GuardrailConfig } from '../config/policies/guardrails.ts';
import { argumentsOf, PASS, type Guard } from './guard.ts';
import { sqlProblem, type ParseSql } from './sql.ts';
import { eachText } from './texts.ts';

type SqlConfig = Extract<GuardrailConfig, { kind: 'sql' }>;

/** Checks the arguments that hold SQL. The parser is loaded with the first statement there is. */
export function createSqlGuard({ name, arguments: named, dialect, readOnly }: SqlConfig): Guard['check'] {
  let parser: Promise<ParseSql> | undefined;
  return async (subject) => {
    const statements = statementsIn(argumentsOf(subject), named);
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

/** The texts under the named arguments, wherever they stand: in a list or an object of them as well. */
function statementsIn(value: unknown, named: readonly string[]): string[] {
  const statements: string[] = [];
  eachText(value, (text, place, isKey) => {
    if (!isKey && place.some((step) => named.includes(String(step)))) statements.push(text);
  });
  return statements;
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
