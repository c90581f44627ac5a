import * as z from 'zod';

/** The tool by which callers read on in a result that was too large for one answer. */
export const READ_RESULT = 'toolgate__read_result';

export const readResultSchema = z.strictObject({
  reference: z.string().min(1).max(100).describe('As the first page says'),
  page: z.int().min(1).max(1_000_000).describe('The page to read; the first is 1'),
});

/** The tool as it is listed. */
export const READ_RESULT_TOOL = {
  name: READ_RESULT,
  title: 'Read on in a large result',
  description:
    'Returns a page of a result that was too large for one answer. Its first page says the reference.',
  inputSchema: {
    type: 'object',
    properties: {
      reference: { type: 'string', description: 'As the first page says' },
      page: { type: 'integer', minimum: 1, description: 'The page to read; the first is 1' },
    },
    required: ['reference', 'page'],
    additionalProperties: false,
  },
  annotations: { readOnlyHint: true, openWorldHint: false },
} as const;
