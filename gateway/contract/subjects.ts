import * as z from 'zod';
import { changeFields, configChangedSchema } from './config.ts';

/** `/api/v1/subjects/{users|teams|service-accounts}`: the lists below `subjects` in the configuration, by their addresses. */
export const SUBJECT_LISTS = {
  users: 'users',
  teams: 'teams',
  'service-accounts': 'serviceAccounts',
} as const;
export const subjectListSchema = z.enum(['users', 'teams', 'service-accounts']);
export type SubjectListName = z.infer<typeof subjectListSchema>;

const attributes = {
  environment: z.string().optional(),
  project: z.string().optional(),
  disabled: z.boolean(),
};

/** One entry of a list, in the configuration's own keys. */
export const subjectEntrySchema = z.union([
  z.object({ name: z.string(), members: z.array(z.string()) }),
  z.object({ name: z.string(), team: z.string().optional(), ...attributes }),
]);
export const subjectEntriesSchema = z.object({ entries: z.array(subjectEntrySchema) });

/** `POST`: an entry to add. */
export const addSubjectSchema = z.strictObject({
  entry: z.looseObject({ name: z.string().min(1, 'give it a name') }),
  ...changeFields,
});

/** The answer to `DELETE`: the ids of tokens that were revoked with it. */
export const subjectRemovedSchema = configChangedSchema.extend({ revoked: z.array(z.string()) });
